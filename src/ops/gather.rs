//! The input of a step: a batch from the dataset on the GPU, and its noise.

use super::{Stream, halves, shader};
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/gather.wgsl`.
pub const SHADER: Shader = shader!("gather", "index", "state", "rng");

/// x (rows, pixels), padded = the images at `order[row..row + rows]`, as floats in [0, 1], with
/// `row` from `state`. `images` holds one byte a pixel, four to an element, `order` (count) indices.
///
/// With a seed and a stream, epsilon = the standard normals of [`super::noise::normal`].
#[expect(clippy::too_many_arguments, reason = "a step's whole input")]
pub fn batch(
    plan: &mut Plan,
    label: &str,
    state: &Tensor,
    images: &Tensor,
    order: &Tensor,
    x: &Tensor,
    noise: Option<(u64, Stream)>,
    epsilon: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "batch", &[]);
    let quads = x.extent() / 4;
    let (seed, stream) = noise.unwrap_or((0, Stream::Train));
    let count = noise.map_or(0, |_| epsilon.len());
    let [low, high] = halves(seed);
    let params = [
        x.rows() as u32,
        x.columns() as u32,
        (x.stride() / 4) as u32,
        images.len() as u32,
        count as u32,
        low,
        high,
        stream as u32,
    ];
    let tensors =
        [("state", state), ("images", images), ("order", order), ("x", x), ("epsilon", epsilon)];
    plan.record_elements(kernel, label, &params, &tensors, quads + count.div_ceil(4));
}
