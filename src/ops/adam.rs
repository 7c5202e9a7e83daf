//! The Adam optimizer (Kingma and Ba 2014), to PyTorch's digits.

use bytemuck::{Pod, Zeroable};

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/adam.wgsl`.
pub const SHADER: Shader = shader!("adam", "index", "state", "math", "adam");

/// Decay rate of the first moment.
pub const BETA1: f64 = 0.9;
/// Decay rate of the second moment.
pub const BETA2: f64 = 0.999;
/// Added to the root of the second moment.
pub const EPSILON: f64 = 1e-8;

/// As `Adam` in `shaders/shared/adam.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Constants {
    epsilon: f32,
    beta2: f32,
    one_minus_beta1: f32,
    one_minus_beta2: f32,
    log_beta1: f32,
    log_beta2: f32,
    pad: [u32; 2],
}

pub(super) fn constants() -> Constants {
    Constants {
        epsilon: EPSILON as f32,
        beta2: BETA2 as f32,
        one_minus_beta1: (1.0 - BETA1) as f32,
        one_minus_beta2: (1.0 - BETA2) as f32,
        log_beta1: BETA1.ln() as f32,
        log_beta2: BETA2.ln() as f32,
        pad: [0; 2],
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    adam: Constants,
    count: u32,
    pad: [u32; 3],
}

/// One step on `parameter` from its `gradient`, updating the moments; all of one length, a multiple
/// of 4. Reads the step count and the learning rate from `state`.
pub fn step(
    plan: &mut Plan,
    label: &str,
    state: &Tensor,
    gradient: &Tensor,
    parameter: &Tensor,
    first_moment: &Tensor,
    second_moment: &Tensor,
) {
    let kernel = plan.gpu().kernel(&SHADER, "step", &[]);
    let count = parameter.extent() / 4;
    assert_eq!(4 * count, parameter.extent(), "{label}: not a multiple of 4");
    let params = Params { adam: constants(), count: count as u32, pad: [0; 3] };
    let tensors = [
        ("state", state),
        ("gradient", gradient),
        ("parameter", parameter),
        ("first_moment", first_moment),
        ("second_moment", second_moment),
    ];
    plan.record_elements(kernel, label, &params, &tensors, count);
}
