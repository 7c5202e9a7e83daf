//! The forms of matrix products, which are entry points of shaders, and their files.

use std::sync::Arc;

use super::Variant;
use crate::gpu::{Kernel, Shader};

/// The forms, each as `{op}.{entry point}`, and the shader's path: a form says which tensors are
/// multiplied, and what happens to the result before it is stored.
const FORMS: [(&str, &str); 9] = [
    ("matmul.forward", "matmul/forward"),
    ("matmul.backward_input", "matmul/backward_input"),
    ("matmul.backward_weight", "matmul/backward_weight"),
    ("matmul.backward_weight_step", "matmul/backward_weight_step"),
    ("conv.forward", "conv/forward"),
    ("conv.backward_input", "conv/backward_input"),
    ("conv.backward_weight", "conv/backward_weight"),
    ("conv_transpose.forward", "conv_transpose/forward"),
    ("conv_transpose.backward_input", "conv_transpose/backward_input"),
];

/// The forms, each as `{op}.{entry point}`, such as `matmul.forward`.
pub fn forms() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(form, _)| *form)
}

/// The shader of a form of [`forms`] in `variant`, and the variant's constants.
pub fn shader(form: &str, variant: Variant) -> (Shader, Vec<(&'static str, u32)>) {
    let found = FORMS.iter().find(|(name, _)| *name == form);
    let (form, path) = *found.unwrap_or_else(|| panic!("{form}: not a form"));
    let (file, constants) = variant.shader();
    let name = form.split_once('.').map_or(form, |(op, _)| op);
    (Shader::with_variant(name, path, file), constants)
}

/// The entry point of a form.
pub fn entry(form: &str) -> &str {
    form.split_once('.').map_or(form, |(_, entry)| entry)
}

/// The kernel of a form in `variant`; `constants` are those of the form, without the variant's.
pub(in crate::ops) fn kernel(
    form: &str,
    variant: Variant,
    constants: &[(&'static str, u32)],
) -> Arc<Kernel> {
    let (shader, own) = shader(form, variant);
    shader.kernel(entry(form), &[&own, constants].concat())
}
