//! Channels as pixels (Shi et al. 2016), as PyTorch's `PixelShuffle`.
//!
//! x is (batch · height · width, channels · factor²), y (batch · factor·height · factor·width,
//! channels).

use serde::Serialize;

use super::activation::{self, Origin};
use super::{Extent, quads};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/pixel_shuffle.wgsl`.
pub const SHADER: Shader = Shader::new("pixel_shuffle");

#[derive(Serialize)]
struct Params {
    count: usize,
    height: usize,
    width: usize,
    x_row: usize,
    y_row: usize,
    channels: usize,
}

/// y = x, of `extent`, with each pixel as a square of pixels: channel c · factor² + i · factor + j
/// becomes channel c of the square's pixel in row i and column j.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    factor: usize,
    x: &Tensor,
    extent: Extent,
    y: &Tensor,
) {
    let constants = [("FACTOR", factor as u32), activation::constant(None)];
    let kernel = SHADER.kernel("forward", &constants);
    let count = quads(label, &[y]);
    let params = params(label, factor, extent, [x, y], count);
    recording.record_elements(kernel, label, &params, &[("x", x), ("y", y)], count);
}

/// dx, of `extent`, from dy, multiplied by the derivative of `origin`'s activation, whose output x
/// is.
pub fn backward(
    recording: &mut Recording,
    label: &str,
    factor: usize,
    dy: &Tensor,
    origin: &Origin,
    extent: Extent,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let constants = [("FACTOR", factor as u32), activation::constant(*activation)];
    let kernel = SHADER.kernel("backward", &constants);
    let count = quads(label, &[dx]);
    let params = params(label, factor, extent, [dx, dy], count);
    recording.record_elements(
        kernel,
        label,
        &params,
        &[("dy", dy), ("pre", pre), ("dx", dx)],
        count,
    );
}

fn params(
    label: &str,
    factor: usize,
    extent: Extent,
    [x, y]: [&Tensor; 2],
    count: usize,
) -> Params {
    let Extent { height, width } = extent;
    assert!(x.rows().is_multiple_of(height * width), "{label}: rows of x");
    assert_eq!(y.rows(), x.rows() * factor * factor, "{label}: rows of y");
    assert_eq!(x.columns(), y.columns() * factor * factor, "{label}: channels");
    let (x_row, y_row) = (x.stride(), y.stride());
    Params { count, height, width, x_row, y_row, channels: y.columns() }
}
