//! The sum of a residual block's branch and what goes around it (He et al. 2016).

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use super::quads;
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/add.wgsl`.
pub const SHADER: Shader = Shader::new("add");

#[derive(Serialize)]
struct Params {
    count: usize,
    columns: usize,
}

/// y (rows, columns) = activation(a + b), and `pre`, like y, before the activation.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    [a, b]: [&Tensor; 2],
    activation: Option<Activation>,
    pre: &Tensor,
    y: &Tensor,
) {
    let kernel = SHADER.kernel("forward", &[activation::constant(activation)]);
    let count = quads(label, &[a, b, pre, y]);
    let params = Params { count, columns: y.columns() };
    let tensors = [("a", a), ("b", b), ("pre", pre), ("y", y)];
    recording.record_elements(kernel, label, &params, &tensors, count);
}

/// dx (rows, columns), the gradient by the `pre` of `origin`, what the block's input x came out of: da,
/// which is that by way of the branch, plus dy, the gradient of the sum, times the activation's slope.
pub fn backward(
    recording: &mut Recording,
    label: &str,
    da: &Tensor,
    dy: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let kernel = SHADER.kernel("backward", &[activation::constant(*activation)]);
    let count = quads(label, &[da, dy, dx]);
    let params = Params { count, columns: dx.columns() };
    let tensors = [("da", da), ("dy", dy), ("pre", pre), ("dx", dx)];
    recording.record_elements(kernel, label, &params, &tensors, count);
}
