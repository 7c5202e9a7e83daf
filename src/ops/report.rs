//! Running means of the losses' terms, and the step counters.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/report.wgsl`.
pub const SHADER: Shader = Shader::new("report");

#[derive(Serialize)]
struct Params {
    rows: usize,
    count: usize,
    term: usize,
    terms: usize,
    share: f32,
}

/// One term of a step's losses.
pub struct Report<'a> {
    /// Values to be summed, in nats; the padding must be zeros.
    pub values: &'a Tensor,
    /// Factor of the sum: 1 / k if each image has k samples, so that each counts for 1 / k.
    pub share: f64,
    /// The term's index in the sums.
    pub term: usize,
    /// Number of images of the step if this is its last term, which ends the step; otherwise 0.
    pub rows: usize,
}

/// Adds the sum of a term's values, divided by the number of images of an epoch in `state`, to the
/// term's running mean in `sums` (2 · terms), which is that of its two parts. The step's last term advances
/// the counters of `state`.
pub fn accumulate(
    recording: &mut Recording,
    label: &str,
    report: &Report,
    state: &Tensor,
    sums: &Tensor,
) {
    let Report { values, share, term, rows } = *report;
    let terms = sums.len() / 2;
    assert!(term < terms, "{label}: no place for so many terms");
    let kernel = SHADER.kernel("accumulate", &[]);
    let params = Params { rows, count: values.extent(), term, terms, share: share as f32 };
    let tensors = [("values", values), ("state", state), ("sums", sums)];
    recording.record_flat(kernel, label, &params, &tensors, 1);
}
