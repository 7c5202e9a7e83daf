//! Pooling by windows, as PyTorch's `max_pool2d` and `avg_pool2d` without `ceil_mode`.
//!
//! x is (batch · height · width, channels), y the same with the extent of [`Window::output`].

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use super::{Extent, Pair, quads};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/pool.wgsl`.
pub const SHADER: Shader = Shader::new("pool");

#[derive(Serialize)]
struct Params {
    count: usize,
    height: usize,
    width: usize,
    out_height: usize,
    out_width: usize,
    quads: usize,
}

/// The windows of a pooling, and the sizes of its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of a window, [`Window::LARGEST`] at most.
    pub kernel: Pair,
    /// Pixels from one window to the next.
    pub stride: Pair,
    /// Pixels of padding around the map, at most half the kernel.
    pub padding: Pair,
    /// Size of the input map.
    pub input: Extent,
    /// Size of the output map, which is the number of windows down and across.
    pub output: Extent,
}

impl Window {
    /// Largest height and width of a window: a position in it must fit in a byte.
    pub const LARGEST: usize = 16;

    /// The windows of a map of size `input`; `None` if the map is smaller than a window, the kernel
    /// or the padding is out of range, or the stride is 0.
    pub fn new(
        input: Extent,
        kernel: impl Into<Pair>,
        stride: impl Into<Pair>,
        padding: impl Into<Pair>,
    ) -> Option<Self> {
        let (kernel, stride, padding) = (kernel.into(), stride.into(), padding.into());
        let along = |[size, kernel, stride, padding]: [usize; 4]| {
            let allowed = (1..=Self::LARGEST).contains(&kernel) && 2 * padding <= kernel;
            let windows = (size + 2 * padding).checked_sub(kernel)?.checked_div(stride)? + 1;
            allowed.then_some(windows)
        };
        let output = Extent {
            height: along([input.height, kernel.down, stride.down, padding.down])?,
            width: along([input.width, kernel.across, stride.across, padding.across])?,
        };
        Some(Self { kernel, stride, padding, input, output })
    }

    fn constants(&self, activation: Option<Activation>) -> [(&'static str, u32); 7] {
        let Self { kernel, stride, padding, .. } = *self;
        [
            ("KERNEL_DOWN", kernel.down as u32),
            ("KERNEL_ACROSS", kernel.across as u32),
            ("STRIDE_DOWN", stride.down as u32),
            ("STRIDE_ACROSS", stride.across as u32),
            ("PADDING_DOWN", padding.down as u32),
            ("PADDING_ACROSS", padding.across as u32),
            activation::constant(activation),
        ]
    }

    /// The parameters for `count` invocations; panics unless x and y have the sizes of the maps.
    fn params(&self, label: &str, count: usize, [x, y]: [&Tensor; 2]) -> Params {
        let Self { input, output, .. } = *self;
        let batch = x.rows() / (input.height * input.width);
        assert_eq!(x.rows(), batch * input.height * input.width, "{label}: rows of x");
        assert_eq!(y.rows(), batch * output.height * output.width, "{label}: rows of y");
        assert_eq!(x.columns(), y.columns(), "{label}: channels");
        Params {
            count,
            height: input.height,
            width: input.width,
            out_height: output.height,
            out_width: output.width,
            quads: y.stride() / 4,
        }
    }
}

/// y = the maximum of each window, in which padding does not count. `indices` (quads of y) receives
/// the position of each maximum in its window: the first in row order, or that of the last NaN.
pub fn max_forward(
    recording: &mut Recording,
    label: &str,
    window: &Window,
    x: &Tensor,
    y: &Tensor,
    indices: &Tensor,
) {
    let kernel = SHADER.kernel("max_forward", &window.constants(None));
    let count = quads(label, &[y]);
    assert_eq!(indices.len(), count, "{label}: indices");
    let params = window.params(label, count, [x, y]);
    let tensors = [("x", x), ("y", y), ("indices", indices)];
    recording.record_elements(kernel, label, &params, &tensors, count);
}

/// dx from dy and the `indices` of [`max_forward`], multiplied by the derivative of `origin`'s
/// activation, whose output x is.
pub fn max_backward(
    recording: &mut Recording,
    label: &str,
    window: &Window,
    dy: &Tensor,
    indices: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let kernel = SHADER.kernel("max_backward", &window.constants(*activation));
    let count = quads(label, &[dx]);
    assert_eq!(indices.len(), quads(label, &[dy]), "{label}: indices");
    let params = window.params(label, count, [dx, dy]);
    let tensors = [("dy", dy), ("indices", indices), ("pre", pre), ("dx", dx)];
    recording.record_elements(kernel, label, &params, &tensors, count);
}

/// y = the mean of each window, the padding counted as zeros (`count_include_pad`).
pub fn avg_forward(
    recording: &mut Recording,
    label: &str,
    window: &Window,
    x: &Tensor,
    y: &Tensor,
) {
    let kernel = SHADER.kernel("avg_forward", &window.constants(None));
    let count = quads(label, &[y]);
    let params = window.params(label, count, [x, y]);
    recording.record_elements(kernel, label, &params, &[("x", x), ("y", y)], count);
}

/// dx from dy, multiplied by the derivative of `origin`'s activation, whose output x is.
pub fn avg_backward(
    recording: &mut Recording,
    label: &str,
    window: &Window,
    dy: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let kernel = SHADER.kernel("avg_backward", &window.constants(*activation));
    let count = quads(label, &[dx]);
    let params = window.params(label, count, [dx, dy]);
    recording.record_elements(
        kernel,
        label,
        &params,
        &[("dy", dy), ("pre", pre), ("dx", dx)],
        count,
    );
}
