//! Conversion between maps (batch · height · width, channels) and features (batch, channels ·
//! height · width), which are in PyTorch's order: channel, row, column.

use serde::Serialize;

use super::activation::{self, Origin};
use super::quads;
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/reshape.wgsl`.
pub const SHADER: Shader = Shader::new("reshape");

#[derive(Serialize)]
struct Params {
    count: usize,
    pixels: usize,
    channels: usize,
    feature_row: usize,
}

/// features = map. In a backward pass, both are gradients, and the result is multiplied by the
/// derivative of `origin`'s activation.
pub fn flatten(
    recording: &mut Recording,
    label: &str,
    map: &Tensor,
    origin: Option<&Origin>,
    features: &Tensor,
) {
    record(recording, label, ("flatten", "features_pre"), [map, features], origin, features);
}

/// map = features. In a backward pass, both are gradients, and the result is multiplied by the
/// derivative of `origin`'s activation.
pub fn unflatten(
    recording: &mut Recording,
    label: &str,
    features: &Tensor,
    origin: Option<&Origin>,
    map: &Tensor,
) {
    record(recording, label, ("unflatten", "map_pre"), [map, features], origin, map);
}

fn record(
    recording: &mut Recording,
    label: &str,
    (entry, pre): (&str, &str),
    [map, features]: [&Tensor; 2],
    origin: Option<&Origin>,
    result: &Tensor,
) {
    if let Some(origin) = origin {
        origin.assert_like(label, result);
    }
    let name = origin.and_then(|origin| origin.activation);
    let kernel = SHADER.kernel(entry, &[activation::constant(name)]);
    let (batch, channels) = (features.rows(), map.columns());
    let pixels = map.rows() / batch;
    assert_eq!(map.rows(), batch * pixels, "{label}: rows");
    assert_eq!(features.columns(), channels * pixels, "{label}: features");
    let blocks = batch * pixels.div_ceil(4) * (quads(label, &[map]) / map.rows());
    let params = Params { count: blocks, pixels, channels, feature_row: features.stride() };
    let argument = activation::argument(recording, origin);
    let tensors = [("map", map), ("features", features), (pre, &argument)];
    recording.record_elements(kernel, label, &params, &tensors, blocks);
}
