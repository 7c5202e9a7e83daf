//! Running means of the losses and the step counters.

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/report.wgsl`.
pub const SHADER: Shader = shader!("report", "state", "reduce");

/// Ends a step of `rows` images: adds the sums of `recon` and of `kl`, in nats, to those in `state`
/// and advances its counters.
pub fn accumulate(
    plan: &mut Plan,
    label: &str,
    rows: usize,
    recon: &Tensor,
    kl: &Tensor,
    state: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "accumulate", &[]);
    let params = [rows as u32, recon.len() as u32, kl.len() as u32, 0];
    let tensors = [("recon", recon), ("kl", kl), ("state", state)];
    plan.record_flat(kernel, label, &params, &tensors, 1);
}
