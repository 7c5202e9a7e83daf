//! Running mean of the reconstruction loss and the step counters.

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/report.wgsl`.
pub const SHADER: Shader = Shader::new("report");

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
    let params = [rows as u32, recon.len() as u32, 0, 0];
    let tensors = [("recon", recon), ("state", state)];
    recording.record_flat(kernel, label, &params, &tensors, 1);
}
