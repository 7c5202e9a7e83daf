//! Reparameterization and KL divergence (Kingma and Welling 2013).

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/latent.wgsl`.
pub const SHADER: Shader = shader!("latent", "index", "state", "math", "reduce");

/// z (rows, latent) = mean + exp(logvar / 2) · epsilon and, in nats, kl (rows) =
/// ½ Σ (mean² + exp(logvar) − logvar − 1), with (mean, logvar) the halves of head's rows
/// (rows, 2 · latent).
pub fn forward(
    plan: &mut Plan,
    label: &str,
    head: &Tensor,
    epsilon: &Tensor,
    z: &Tensor,
    kl: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "forward", &[]);
    let params = [z.rows() as u32, z.columns() as u32, 0, 0];
    let tensors = [("head", head), ("epsilon", epsilon), ("z", z), ("kl", kl)];
    plan.record_flat(kernel, label, &params, &tensors, z.rows());
}

/// dhead (rows, 2 · latent) from dz (rows, latent), plus the gradient of the batch mean of
/// β · kl with β from `state`.
pub fn backward(
    plan: &mut Plan,
    label: &str,
    state: &Tensor,
    head: &Tensor,
    epsilon: &Tensor,
    dz: &Tensor,
    dhead: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "backward", &[]);
    let params = [dz.rows() as u32, dz.columns() as u32, 0, 0];
    let tensors =
        [("state", state), ("head", head), ("epsilon", epsilon), ("dz", dz), ("dhead", dhead)];
    plan.record_elements(kernel, label, &params, &tensors, dz.len());
}
