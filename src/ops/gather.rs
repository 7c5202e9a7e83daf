//! A batch from the dataset on the GPU.

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/gather.wgsl`.
pub const SHADER: Shader = shader!("gather", "index", "state");

/// x (rows, pixels) = the images at `order[row..row + rows]`, as floats in [0, 1], with `row` from
/// `state`. `images` holds one byte a pixel, four to an element, `order` (count) indices.
pub fn batch(
    plan: &mut Plan,
    label: &str,
    state: &Tensor,
    images: &Tensor,
    order: &Tensor,
    x: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "batch", &[]);
    let params = [x.rows() as u32, x.columns() as u32, 0, 0];
    let tensors = [("state", state), ("images", images), ("order", order), ("x", x)];
    plan.record_elements(kernel, label, &params, &tensors, x.len());
}
