//! Between maps (batch · height · width, channels) and features (batch, channels · height · width) in
//! PyTorch's order, which is channel, row, column.

use super::activation::{self, Origin};
use super::{quads, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/reshape.wgsl`.
pub const SHADER: Shader = shader!("reshape", "index", "math", "activation");

/// y, features = x, a map.
pub fn flatten_forward(plan: &mut Plan, label: &str, x: &Tensor, y: &Tensor) {
    record(plan, label, "flatten_forward", None, [x, y], &[("map", x), ("features", y)]);
}

/// dx, a map, from dy, features, times the slope of the activation that x came out of.
pub fn flatten_backward(plan: &mut Plan, label: &str, dy: &Tensor, origin: &Origin, dx: &Tensor) {
    let Origin { name, pre } = origin;
    quads(label, &[pre, dx]);
    let tensors = [("features", dy), ("map_pre", pre), ("map", dx)];
    record(plan, label, "flatten_backward", *name, [dx, dy], &tensors);
}

/// y, a map = x, features.
pub fn unflatten_forward(plan: &mut Plan, label: &str, x: &Tensor, y: &Tensor) {
    record(plan, label, "unflatten_forward", None, [y, x], &[("features", x), ("map", y)]);
}

/// dx, features, from dy, a map, times the slope of the activation that x came out of.
pub fn unflatten_backward(plan: &mut Plan, label: &str, dy: &Tensor, origin: &Origin, dx: &Tensor) {
    let Origin { name, pre } = origin;
    quads(label, &[pre, dx]);
    let tensors = [("map", dy), ("features_pre", pre), ("features", dx)];
    record(plan, label, "unflatten_backward", *name, [dy, dx], &tensors);
}

fn record(
    plan: &mut Plan,
    label: &str,
    entry: &str,
    activation: Option<&str>,
    [map, features]: [&Tensor; 2],
    tensors: &[(&str, &Tensor)],
) {
    let kernel = plan.gpu().kernel(&SHADER, entry, &[activation::constant(activation)]);
    let (batch, channels) = (features.rows(), map.columns());
    let pixels = map.rows() / batch;
    assert_eq!(map.rows(), batch * pixels, "{label}: rows");
    assert_eq!(features.columns(), channels * pixels, "{label}: features");
    let blocks = batch * pixels.div_ceil(4) * (quads(label, &[map]) / map.rows());
    let params = [blocks, pixels, channels, features.stride()].map(|size| size as u32);
    plan.record_elements(kernel, label, &params, tensors, blocks);
}
