//! Clipping gradients by the norm of all of them (Pascanu, Mikolov and Bengio 2013), as PyTorch's
//! `clip_grad_norm_` does.

use bytemuck::{Pod, Zeroable};

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/clip.wgsl`.
pub const SHADER: Shader = shader!("clip", "reduce");

/// Most workgroups that share the sum.
const GROUPS: usize = 256;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    groups: u32,
    max_norm: f32,
    pad: u32,
}

/// Records the norm of all elements of `gradient`, padded by zeros to a multiple of 4. Returns
/// (factor, norm) with factor = min(1, max_norm / (norm + 1e-6)), for [`super::optimizer::step`]. An
/// infinite norm, which is one beyond 32 bits, makes the factor zero, and NaN makes it NaN.
pub fn factor(plan: &mut Plan, label: &str, gradient: &Tensor, max_norm: f64) -> Tensor {
    let quads = gradient.extent().div_ceil(4);
    let squares = plan.gpu().kernel(&SHADER, "squares", &[]);
    let factor = plan.gpu().kernel(&SHADER, "factor", &[]);
    let groups = quads.div_ceil(squares.workgroup_size[0] as usize).clamp(1, GROUPS);
    let max_norm = max_norm as f32;
    let params = Params { count: quads as u32, groups: groups as u32, max_norm, pad: 0 };
    let (partials, result) = (plan.vector(2 * groups), plan.vector(2));
    let tensors = [("gradient", gradient), ("partials", &partials), ("result", &result)];
    plan.record_flat(squares, label, &params, &tensors[..2], groups);
    plan.record_flat(factor, label, &params, &tensors[1..], 1);
    result
}
