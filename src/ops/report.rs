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
    share: f32,
}

/// One term of a step's losses.
pub struct Report<'a> {
    /// What is to be summed, in nats; padding counts as values of 0.
    pub values: &'a Tensor,
    /// Share of a value in an image: each of k samples counts for 1 / k.
    pub share: f64,
    /// The term's place in the sums.
    pub term: usize,
    /// Images of the step that this term, its last one, ends; 0 where another term follows.
    pub rows: usize,
}

/// Adds the sum of a term's values to that in `sums`, over the images of an epoch that `state` counts;
/// the step's last term advances its counters.
pub fn accumulate(
    recording: &mut Recording,
    label: &str,
    report: &Report,
    state: &Tensor,
    sums: &Tensor,
) {
    let Report { values, share, term, rows } = *report;
    assert!(term < sums.len(), "{label}: no place for so many terms");
    let kernel = SHADER.kernel("accumulate", &[]);
    let params = Params { rows, count: values.extent(), term, share: share as f32 };
    let tensors = [("values", values), ("state", state), ("sums", sums)];
    recording.record_flat(kernel, label, &params, &tensors, 1);
}
