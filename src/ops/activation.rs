//! Elementwise activations, as PyTorch defines them. They are computed where their argument is: see
//! [`super::matmul::forward`] and `shaders/shared/activation.wgsl`.

/// The activations; `leaky_relu` has slope 0.01, `elu` α = 1, `gelu` is the exact one, by erf.
pub const NAMES: [&str; 8] =
    ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"];

/// The one called `name`; none for any other name.
pub fn named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|n| *n == name)
}

/// The shaders' number of the activation `name` of [`NAMES`]; of the identity without one.
pub(super) fn constant(name: Option<&str>) -> (&'static str, u32) {
    ("ACTIVATION", name.map_or(NAMES.len() as u32, |name| super::kind(&NAMES, name)))
}
