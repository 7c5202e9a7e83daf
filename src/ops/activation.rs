//! Elementwise activations, as PyTorch defines them. They are computed where their argument is: see
//! [`super::matmul::forward`] and `shaders/shared/activation.wgsl`.

use crate::gpu::{Plan, Tensor};

/// The activations; `leaky_relu` has slope 0.01, `elu` α = 1, `gelu` is the exact one, by erf.
pub const NAMES: [&str; 8] =
    ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"];

/// What a value came out of: it is an activation of `pre`, which has its shape and layout. Whoever
/// computes the gradient by such a value multiplies it by the activation's slope at `pre`, so that it is
/// the gradient by `pre`.
#[derive(Clone)]
pub struct Origin {
    /// One of [`NAMES`]; the identity without one.
    pub name: Option<&'static str>,
    /// What went into it; the value itself where there is no activation.
    pub pre: Tensor,
}

/// The one called `name`; none for any other name.
pub fn named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|n| *n == name)
}

/// The shaders' number of the activation `name` of [`NAMES`]; of the identity without one.
pub(super) fn constant(name: Option<&str>) -> (&'static str, u32) {
    ("ACTIVATION", name.map_or(NAMES.len() as u32, |name| super::kind(&NAMES, name)))
}

/// What kernels are to read the slope at: where there is no activation they read nothing, and `pre` may
/// be a tensor that is bound already.
pub(super) fn argument(plan: &Plan, origin: Option<&Origin>) -> Tensor {
    let activated = origin.filter(|origin| origin.name.is_some());
    activated.map_or_else(|| plan.vector(4), |origin| origin.pre.clone())
}
