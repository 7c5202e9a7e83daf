//! Running means of the losses and the step counters.

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/report.wgsl`.
pub const SHADER: Shader = shader!("report", "state", "reduce");

/// Ends a step: adds `recon` and `kl` (rows), in nats, to the sums in `state` and advances its
/// counters.
pub fn accumulate(plan: &mut Plan, label: &str, recon: &Tensor, kl: &Tensor, state: &Tensor) {
    let kernel = plan.gpu().kernel(&SHADER, "accumulate", &[]);
    let params = [recon.len() as u32, 0, 0, 0];
    let tensors = [("recon", recon), ("kl", kl), ("state", state)];
    plan.record_flat(kernel, label, &params, &tensors, 1);
}
