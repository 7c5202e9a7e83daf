//! What is multiplied, and what becomes of it: the entry points and the parts of their WGSL.

use std::sync::Arc;

use super::Variant;
use crate::gpu::{Gpu, Kernel, Shader};

macro_rules! part {
    ($file:literal) => {
        include_str!(concat!("../../../shaders/", $file, ".wgsl"))
    };
}

const FRAME: [&str; 2] = [part!("shared/index"), part!("matmul/product")];

/// Entry points, and the parts that complete them.
const FORMS: [(&str, &[&str]); 7] = [
    (
        "forward",
        &[
            part!("matmul/forward"),
            part!("matmul/batch"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "forward_latent",
        &[part!("matmul/forward_latent"), part!("matmul/batch"), part!("shared/math")],
    ),
    (
        "forward_loss",
        &[
            part!("matmul/forward_loss"),
            part!("matmul/batch"),
            part!("shared/activation"),
            part!("shared/likelihood"),
            part!("shared/math"),
        ],
    ),
    (
        "backward_input",
        &[
            part!("matmul/backward_input"),
            part!("matmul/batch"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "backward_latent",
        &[
            part!("matmul/backward_latent"),
            part!("matmul/batch"),
            part!("shared/state"),
            part!("shared/math"),
        ],
    ),
    ("backward_weight", &[part!("matmul/backward_weight"), part!("matmul/layers")]),
    (
        "backward_weight_step",
        &[
            part!("matmul/backward_weight_step"),
            part!("matmul/layers"),
            part!("shared/optimizer"),
            part!("shared/schedule"),
            part!("shared/state"),
            part!("shared/math"),
        ],
    ),
];

/// The entry points of the forms.
pub fn forms() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(entry, _)| *entry)
}

/// The shader of the form `entry` in `variant`, and the variant's constants.
pub fn shader(entry: &str, variant: Variant) -> (Shader, Vec<(&'static str, u32)>) {
    let form = FORMS.iter().find(|(name, _)| *name == entry);
    let parts = form.unwrap_or_else(|| panic!("{entry}: not a form")).1;
    let (loops, constants) = variant.shader();
    let source = [&FRAME[..], &[loops], parts].concat().join("\n");
    (Shader { name: "matmul", source: source.into() }, constants)
}

/// The kernel of the form `entry` in `variant`; `constants` are the form's.
pub(super) fn kernel(
    gpu: &Gpu,
    entry: &str,
    variant: Variant,
    constants: &[(&'static str, u32)],
) -> Arc<Kernel> {
    let (shader, own) = shader(entry, variant);
    gpu.kernel(&shader, entry, &[&own, constants].concat())
}
