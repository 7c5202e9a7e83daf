//! Running mean of the reconstruction loss and the step counters.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/report.wgsl`.
pub const SHADER: Shader = Shader::new("report");

#[derive(Serialize)]
struct Params {
    rows: usize,
    recons: usize,
}

/// Ends a step of `rows` images: adds the sum of `recon`, in nats, to that in `state`, over the images
/// of an epoch, and advances its counters.
pub fn accumulate(
    recording: &mut Recording,
    label: &str,
    rows: usize,
    recon: &Tensor,
    state: &Tensor,
) {
    let kernel = SHADER.kernel("accumulate", &[]);
    let params = Params { rows, recons: recon.len() };
    let tensors = [("recon", recon), ("state", state)];
    recording.record_flat(kernel, label, &params, &tensors, 1);
}
