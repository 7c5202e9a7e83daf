//! What is multiplied, and what becomes of it: the entry points and the parts of their WGSL.

use std::sync::Arc;

use super::Variant;
use crate::gpu::{Kernel, Shader};

macro_rules! part {
    ($file:literal) => {
        include_str!(concat!("../../../shaders/", $file, ".wgsl"))
    };
}

const FRAME: [&str; 2] = [part!("shared/index"), part!("matmul/product")];

/// Forms, and the parts that complete them.
const FORMS: &[(&str, &[&str])] = &[
    (
        "matmul.forward",
        &[
            part!("matmul/forward"),
            part!("matmul/batch"),
            part!("matmul/left_rows"),
            part!("matmul/right_rows"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "matmul.backward_input",
        &[
            part!("matmul/backward_input"),
            part!("matmul/batch"),
            part!("matmul/left_rows"),
            part!("matmul/right_columns"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "matmul.backward_weight",
        &[
            part!("matmul/backward_weight"),
            part!("matmul/weight_and_bias"),
            part!("matmul/layers"),
            part!("matmul/left_columns"),
            part!("matmul/right_columns"),
        ],
    ),
    (
        "matmul.backward_weight_step",
        &[
            part!("matmul/backward_weight_step"),
            part!("matmul/weight_and_bias"),
            part!("matmul/layers"),
            part!("matmul/left_columns"),
            part!("matmul/right_columns"),
            part!("shared/optimizer"),
            part!("shared/schedule"),
            part!("shared/state"),
            part!("shared/math"),
        ],
    ),
    (
        "conv.forward",
        &[
            part!("matmul/forward"),
            part!("matmul/gather"),
            part!("matmul/patches"),
            part!("matmul/left_patches"),
            part!("matmul/right_rows"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "conv.backward_input",
        &[
            part!("matmul/backward_input"),
            part!("matmul/scatter"),
            part!("matmul/patches"),
            part!("matmul/left_patches"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "conv.backward_weight",
        &[
            part!("matmul/parts"),
            part!("matmul/weight_and_bias"),
            part!("matmul/patches"),
            part!("matmul/left_columns"),
            part!("matmul/right_patches"),
        ],
    ),
    (
        "conv_transpose.forward",
        &[
            part!("matmul/forward"),
            part!("matmul/scatter"),
            part!("matmul/patches"),
            part!("matmul/left_patches"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
    (
        "conv_transpose.backward_input",
        &[
            part!("matmul/backward_input"),
            part!("matmul/gather"),
            part!("matmul/patches"),
            part!("matmul/left_patches"),
            part!("matmul/right_rows"),
            part!("shared/activation"),
            part!("shared/math"),
        ],
    ),
];

/// The forms, each as an op and an entry point: `matmul.forward`.
pub fn forms() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(name, _)| *name)
}

/// The shader of a form of [`forms`] in `variant`, and the variant's constants.
pub fn shader(form: &str, variant: Variant) -> (Shader, Vec<(&'static str, u32)>) {
    let found = FORMS.iter().find(|(name, _)| *name == form);
    let (form, parts) = *found.unwrap_or_else(|| panic!("{form}: not a form"));
    let (loops, constants) = variant.shader();
    let source = [&FRAME[..], &[loops], parts].concat().join("\n");
    let name = form.split_once('.').map_or(form, |(op, _)| op);
    (Shader { name, source: source.into() }, constants)
}

/// The entry point of a form.
pub fn entry(form: &str) -> &str {
    form.split_once('.').map_or(form, |(_, entry)| entry)
}

/// The kernel of a form in `variant`; `constants` are the form's.
pub(in crate::ops) fn kernel(
    form: &str,
    variant: Variant,
    constants: &[(&'static str, u32)],
) -> Arc<Kernel> {
    let (shader, own) = shader(form, variant);
    shader.kernel(entry(form), &[&own, constants].concat())
}
