//! The sum of a residual block's branch and its shortcut (He et al. 2016).

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

/// y (rows, columns) = activation(a + b), and the pre-activation `pre` = a + b, of y's layout.
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

/// dx (rows, columns) = da + dy · f'(pre), with `origin`'s activation f and pre-activation, of
/// which the block's input x is the output. da is the gradient through the branch, in which f' is
/// contained; dy is the gradient with respect to the sum.
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
