//! Elementwise activations, as PyTorch defines them.

use super::{kind, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/activation.wgsl`.
pub const SHADER: Shader = shader!("activation", "index", "math");

/// The activations; `leaky_relu` has slope 0.01, `elu` α = 1, `gelu` is the exact one, by erf.
pub const NAMES: [&str; 8] =
    ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"];

/// y = f(x) with the activation `name` of [`NAMES`]; x and y of one shape.
pub fn forward(plan: &mut Plan, label: &str, name: &str, x: &Tensor, y: &Tensor) {
    let kernel = plan.gpu().kernel(&SHADER, "forward", &[("KIND", kind(&NAMES, name))]);
    let params = [x.len() as u32, 0, 0, 0];
    plan.record_elements(kernel, label, &params, &[("x", x), ("y", y)], x.len());
}

/// dx = dy f'(x); all of one shape.
pub fn backward(plan: &mut Plan, label: &str, name: &str, x: &Tensor, dy: &Tensor, dx: &Tensor) {
    let kernel = plan.gpu().kernel(&SHADER, "backward", &[("KIND", kind(&NAMES, name))]);
    let params = [x.len() as u32, 0, 0, 0];
    plan.record_elements(kernel, label, &params, &[("x", x), ("dy", dy), ("dx", dx)], x.len());
}
