//! Activations as dispatches of their own, where no other dispatch computes them with its result.

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use super::quads;
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/activate.wgsl`.
pub const SHADER: Shader = Shader::new("activate");

#[derive(Serialize)]
struct Params {
    count: usize,
    columns: usize,
}

/// y (rows, columns) = activation(x).
pub fn forward(
    recording: &mut Recording,
    label: &str,
    x: &Tensor,
    activation: Option<Activation>,
    y: &Tensor,
) {
    let kernel = SHADER.kernel("forward", &[activation::constant(activation)]);
    let count = quads(label, &[x, y]);
    let params = Params { count, columns: x.columns() };
    recording.record_elements(kernel, label, &params, &[("x", x), ("y", y)], count);
}

/// dx (rows, columns) = dy · f'(pre), with `origin`'s activation f and pre-activation.
pub fn backward(recording: &mut Recording, label: &str, dy: &Tensor, origin: &Origin, dx: &Tensor) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let kernel = SHADER.kernel("backward", &[activation::constant(*activation)]);
    let count = quads(label, &[dy, dx]);
    let params = Params { count, columns: dx.columns() };
    recording.record_elements(
        kernel,
        label,
        &params,
        &[("dy", dy), ("pre", pre), ("dx", dx)],
        count,
    );
}
