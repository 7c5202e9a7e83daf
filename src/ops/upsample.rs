//! Upsampling by whole factors, as PyTorch's `Upsample` with `mode="nearest"`.
//!
//! x is (batch · height · width, channels), y (batch · down·height · across·width, channels), where
//! the factor is down and across.

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use super::{Extent, Pair, quads};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/upsample.wgsl`.
pub const SHADER: Shader = Shader::new("upsample");

#[derive(Serialize)]
struct Params {
    count: usize,
    height: usize,
    width: usize,
    quads: usize,
}

/// y = x, of `extent`, with every pixel repeated `factor` times down and across.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    factor: Pair,
    x: &Tensor,
    extent: Extent,
    y: &Tensor,
) {
    let constants = constants(factor, None);
    let kernel = SHADER.kernel("forward", &constants);
    let params = params(label, factor, extent, [x, y]);
    recording.record_elements(kernel, label, &params, &[("x", x), ("y", y)], quads(label, &[x]));
}

/// dx, of `extent`, from dy, multiplied by the derivative of `origin`'s activation, whose output x
/// is.
pub fn backward(
    recording: &mut Recording,
    label: &str,
    factor: Pair,
    dy: &Tensor,
    origin: &Origin,
    extent: Extent,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let constants = constants(factor, *activation);
    let kernel = SHADER.kernel("backward", &constants);
    let params = params(label, factor, extent, [dx, dy]);
    let tensors = [("dy", dy), ("pre", pre), ("dx", dx)];
    recording.record_elements(kernel, label, &params, &tensors, quads(label, &[dx]));
}

fn constants(factor: Pair, activation: Option<Activation>) -> [(&'static str, u32); 3] {
    let Pair { down, across } = factor;
    let activation = activation::constant(activation);
    [("FACTOR_DOWN", down as u32), ("FACTOR_ACROSS", across as u32), activation]
}

fn params(label: &str, factor: Pair, extent: Extent, [x, y]: [&Tensor; 2]) -> Params {
    let Extent { height, width } = extent;
    assert!(x.rows().is_multiple_of(height * width), "{label}: rows of x");
    assert_eq!(y.rows(), x.rows() * factor.area(), "{label}: rows of y");
    assert_eq!(x.columns(), y.columns(), "{label}: channels");
    Params { count: x.extent() / 4, height, width, quads: x.stride() / 4 }
}
