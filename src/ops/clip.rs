//! Clipping gradients by their global norm (Pascanu, Mikolov and Bengio 2013), as PyTorch's
//! `clip_grad_norm_` does.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/clip.wgsl`.
pub const SHADER: Shader = Shader::new("clip");

/// Largest number of workgroups among which the sum is divided.
const GROUPS: usize = 256;

#[derive(Serialize)]
struct Params {
    count: usize,
    groups: usize,
    max_norm: f64,
}

/// The sum of the squares of `gradient`, padded by zeros to a multiple of 4, in parts for
/// [`factor`].
pub fn squares(recording: &mut Recording, label: &str, gradient: &Tensor) -> Tensor {
    let kernel = SHADER.kernel("squares", &[]);
    let quads = gradient.extent().div_ceil(4);
    let groups = quads.div_ceil(kernel.workgroup_size[0] as usize).clamp(1, GROUPS);
    let partials = recording.vector(2 * groups);
    let params = Params { count: quads, groups, max_norm: 0.0 };
    let tensors = [("gradient", gradient), ("partials", &partials)];
    recording.record_flat(kernel, label, &params, &tensors, groups);
    partials
}

/// The factor min(1, max_norm / (norm + 1e-6)) for [`super::optimizer::step`], and the norm of the
/// gradients, from their [`squares`] `partials`. A norm that overflows 32-bit floats makes the
/// factor zero, and NaN makes it NaN.
pub fn factor(recording: &mut Recording, label: &str, partials: &Tensor, max_norm: f64) -> Tensor {
    let kernel = SHADER.kernel("factor", &[]);
    let groups = partials.len() / 2;
    let params = Params { count: 0, groups, max_norm };
    let result = recording.vector(2);
    recording.record_flat(
        kernel,
        label,
        &params,
        &[("partials", partials), ("result", &result)],
        1,
    );
    result
}
