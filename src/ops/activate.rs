//! Activations as dispatches of their own, where nothing could compute them with their argument.

use super::activation::{self, Origin};
use super::{quads, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/activate.wgsl`.
pub const SHADER: Shader = shader!("activate", "index", "padding", "math", "activation");

/// y (rows, columns) = activation(x).
pub fn forward(plan: &mut Plan, label: &str, x: &Tensor, activation: Option<&str>, y: &Tensor) {
    let kernel = plan.gpu().kernel(&SHADER, "forward", &[activation::constant(activation)]);
    let count = quads(label, &[x, y]);
    let params = [count as u32, x.columns() as u32, 0, 0];
    plan.record_elements(kernel, label, &params, &[("x", x), ("y", y)], count);
}

/// dx (rows, columns) = dy times the slope of the activation that x came out of.
pub fn backward(plan: &mut Plan, label: &str, dy: &Tensor, origin: &Origin, dx: &Tensor) {
    let Origin { name, pre } = origin;
    let kernel = plan.gpu().kernel(&SHADER, "backward", &[activation::constant(*name)]);
    let count = quads(label, &[dy, pre, dx]);
    let params = [count as u32, dx.columns() as u32, 0, 0];
    plan.record_elements(kernel, label, &params, &[("dy", dy), ("pre", pre), ("dx", dx)], count);
}
