//! Pooling by square windows, as PyTorch's `max_pool2d` and `avg_pool2d` without `ceil_mode`.
//!
//! x is (batch · height · width, channels), y the same with the extent that [`Window::output`] says.

use super::activation::{self, Origin};
use super::{Extent, quads, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/pool.wgsl`.
pub const SHADER: Shader = shader!("pool", "index", "map", "math", "activation");

/// Where windows lie, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width, [`Window::LARGEST`] at most.
    pub kernel: usize,
    /// From one to the next.
    pub stride: usize,
    /// Around the map on every side, at most half the kernel.
    pub padding: usize,
}

impl Window {
    /// So that a place in one is a byte.
    pub const LARGEST: usize = 16;

    /// How many there are down and across a map; none where the map is too small, or the window not
    /// allowed.
    pub fn output(&self, extent: Extent) -> Option<Extent> {
        let Self { kernel, stride, padding } = *self;
        let allowed = (1..=Self::LARGEST).contains(&kernel) && 2 * padding <= kernel;
        let along =
            |size: usize| Some((size + 2 * padding).checked_sub(kernel)?.checked_div(stride)? + 1);
        let extent = Extent { height: along(extent.height)?, width: along(extent.width)? };
        allowed.then_some(extent)
    }

    fn constants(&self, activation: Option<&str>) -> [(&'static str, u32); 4] {
        let Self { kernel, stride, padding } = *self;
        let own = [("KERNEL", kernel), ("STRIDE", stride), ("PADDING", padding)];
        let [kernel, stride, padding] = own.map(|(name, value)| (name, value as u32));
        [kernel, stride, padding, activation::constant(activation)]
    }

    /// For `count` invocations; panics unless y is of the size that x makes.
    fn params(&self, label: &str, count: usize, extent: Extent, [x, y]: [&Tensor; 2]) -> [u32; 8] {
        let Extent { height, width } = extent;
        let out = self.output(extent).unwrap_or_else(|| panic!("{label}: {self:?} in {extent:?}"));
        let batch = x.rows() / (height * width);
        assert_eq!(x.rows(), batch * height * width, "{label}: rows of x");
        assert_eq!(y.rows(), batch * out.height * out.width, "{label}: rows of y");
        assert_eq!(x.columns(), y.columns(), "{label}: channels");
        let sizes = [count, height, width, out.height, out.width, y.stride() / 4, 0, 0];
        sizes.map(|size| size as u32)
    }
}

/// y = the maximum of each window; the padding never is. `winners` (quads of y) receives where each
/// was found: the first in row order, unless it is NaN.
pub fn max_forward(
    plan: &mut Plan,
    label: &str,
    window: Window,
    x: &Tensor,
    extent: Extent,
    y: &Tensor,
    winners: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "max_forward", &window.constants(None));
    let count = quads(label, &[y]);
    assert_eq!(winners.len(), count, "{label}: winners");
    let params = window.params(label, count, extent, [x, y]);
    let tensors = [("x", x), ("y", y), ("winners", winners)];
    plan.record_elements(kernel, label, &params, &tensors, count);
}

/// dx from dy and the `winners` of [`max_forward`], times the slope of the activation that x came out
/// of.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn max_backward(
    plan: &mut Plan,
    label: &str,
    window: Window,
    dy: &Tensor,
    winners: &Tensor,
    origin: &Origin,
    extent: Extent,
    dx: &Tensor,
) {
    let Origin { name, pre } = origin;
    let kernel = plan.gpu().kernel(&SHADER, "max_backward", &window.constants(*name));
    let count = quads(label, &[dx, pre]);
    assert_eq!(winners.len(), quads(label, &[dy]), "{label}: winners");
    let params = window.params(label, count, extent, [dx, dy]);
    let tensors = [("dy", dy), ("winners", winners), ("pre", pre), ("dx", dx)];
    plan.record_elements(kernel, label, &params, &tensors, count);
}

/// y = the mean of each window, the padding counted as zeros (`count_include_pad`).
pub fn average_forward(
    plan: &mut Plan,
    label: &str,
    window: Window,
    x: &Tensor,
    extent: Extent,
    y: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "average_forward", &window.constants(None));
    let count = quads(label, &[y]);
    let params = window.params(label, count, extent, [x, y]);
    plan.record_elements(kernel, label, &params, &[("x", x), ("y", y)], count);
}

/// dx from dy, times the slope of the activation that x came out of.
pub fn average_backward(
    plan: &mut Plan,
    label: &str,
    window: Window,
    dy: &Tensor,
    origin: &Origin,
    extent: Extent,
    dx: &Tensor,
) {
    let Origin { name, pre } = origin;
    let kernel = plan.gpu().kernel(&SHADER, "average_backward", &window.constants(*name));
    let count = quads(label, &[dx, pre]);
    let params = window.params(label, count, extent, [dx, dy]);
    let tensors = [("dy", dy), ("pre", pre), ("dx", dx)];
    plan.record_elements(kernel, label, &params, &tensors, count);
}
