//! Several copies of each example, for several draws of its latent variables (Burda et al. 2016).

use serde::Serialize;

use super::quads;
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/repeat.wgsl`.
pub const SHADER: Shader = Shader::new("repeat");

#[derive(Serialize)]
struct Params {
    count: usize,
    quads: usize,
    times: usize,
}

/// y (examples · k · span, columns) = each example of x (examples · span, columns) k times in
/// succession, as by PyTorch's `repeat_interleave`. An example is `span` rows: one row of features,
/// or height · width rows of a map.
pub fn forward(recording: &mut Recording, label: &str, x: &Tensor, span: usize, y: &Tensor) {
    record(recording, label, ("forward", span), [x, y], &[("x", x), ("y", y)], y);
}

/// dx (examples · span, columns) = the sum of dy (examples · k · span, columns) over the k copies.
pub fn backward(recording: &mut Recording, label: &str, dy: &Tensor, span: usize, dx: &Tensor) {
    record(recording, label, ("backward", span), [dx, dy], &[("dy", dy), ("dx", dx)], dx);
}

fn record(
    recording: &mut Recording,
    label: &str,
    (entry, span): (&str, usize),
    [few, many]: [&Tensor; 2],
    tensors: &[(&str, &Tensor)],
    result: &Tensor,
) {
    let times = many.rows() / few.rows();
    assert_eq!(many.rows(), few.rows() * times, "{label}: rows");
    assert_eq!(few.columns(), many.columns(), "{label}: columns");
    assert!(few.rows().is_multiple_of(span), "{label}: rows of an example");
    let count = quads(label, &[result]);
    let quads = quads(label, &[few]) / few.rows() * span;
    let params = Params { count, quads, times };
    recording.record_elements(SHADER.kernel(entry, &[]), label, &params, tensors, count);
}
