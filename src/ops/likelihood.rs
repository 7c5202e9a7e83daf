//! Reconstruction losses: the negative log-likelihood of the pixels, and its gradient.

use super::{kind, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/likelihood.wgsl`.
pub const SHADER: Shader = shader!("likelihood", "index", "math", "reduce");

/// The likelihoods: `bernoulli` takes the decoder's output as logits; `gaussian` takes it as the
/// mean, with variance ½, so that its loss is the squared error (the constant is left out).
pub const NAMES: [&str; 2] = ["bernoulli", "gaussian"];

/// recon (rows): the loss of each row of `output` (rows, pixels) against `x` (rows, pixels), in
/// nats, under the likelihood `name` of [`NAMES`]; and doutput (rows, pixels), the gradient of
/// their mean.
pub fn loss(
    plan: &mut Plan,
    label: &str,
    name: &str,
    x: &Tensor,
    output: &Tensor,
    recon: &Tensor,
    doutput: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "loss", &[("KIND", kind(&NAMES, name))]);
    let params = [x.rows() as u32, x.columns() as u32, 0, 0];
    let tensors = [("x", x), ("output", output), ("recon", recon), ("doutput", doutput)];
    plan.record_flat(kernel, label, &params, &tensors, x.rows());
}
