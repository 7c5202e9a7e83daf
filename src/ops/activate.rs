//! Activations as dispatches of their own, where nothing could compute them with their argument.

use super::{activation, quads, shader};
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

/// dx (rows, columns) = dy times the slope of the activation at `pre`.
pub fn backward(
    plan: &mut Plan,
    label: &str,
    dy: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    dx: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "backward", &[activation::constant(activation)]);
    let count = quads(label, &[dy, pre, dx]);
    let params = [count as u32, dx.columns() as u32, 0, 0];
    plan.record_elements(kernel, label, &params, &[("dy", dy), ("pre", pre), ("dx", dx)], count);
}
