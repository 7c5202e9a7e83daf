//! Every kernel on the adapter against a plain f64 oracle on the CPU.
//!
//! The oracles are written from the definitions, in the most obvious way, and are themselves checked
//! by central differences. Sizes are awkward on purpose: the kernels run without bounds checks.

mod adam;
mod check;
mod column_sums;
#[path = "../common/mod.rs"]
mod common;
mod conv;
mod erf;
mod gather;
mod limits;
mod matmul;
mod noise;
mod report;
mod shuffle;
mod sums;
mod threefry;

use std::collections::BTreeSet;

use vae_gpu::ops;

/// The case of every entry point. Each is a test of its own; listing it here keeps the two in step.
const CASES: [(&str, fn()); 23] = [
    ("adam.step", adam::step),
    ("column_sums.parts", column_sums::parts),
    ("conv.backward_input", conv::backward_input),
    ("conv.backward_weight", conv::backward_weight),
    ("conv.forward", conv::forward),
    ("conv_transpose.backward_input", conv::transposed_backward_input),
    ("conv_transpose.forward", conv::transposed_forward),
    ("gather.batch", gather::batch),
    ("limits.arithmetic", limits::arithmetic),
    ("limits.copy", limits::copy),
    ("limits.touch", limits::touch),
    ("matmul.backward_input", matmul::backward_input),
    ("matmul.backward_latent", matmul::backward_latent),
    ("matmul.backward_weight", matmul::backward_weight),
    ("matmul.backward_weight_adam", matmul::backward_weight_adam),
    ("matmul.forward", matmul::forward),
    ("matmul.forward_latent", matmul::forward_latent),
    ("matmul.forward_loss", matmul::forward_loss),
    ("matmul/naive.naive", matmul::naive),
    ("noise.normal", noise::normal),
    ("report.accumulate", report::accumulate),
    ("shuffle.permutation", shuffle::permutation),
    ("sums.parts", sums::parts),
];

#[test]
fn every_entry_point_has_an_oracle() {
    let mut entries: BTreeSet<_> = ops::matmul::forms().map(String::from).collect();
    for shader in ops::SHADERS {
        let module = naga::front::wgsl::parse_str(&shader.text(&[("QUADS", 1)])).unwrap();
        entries.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(entries, cases, "entry points (left) and cases of tests/ops (right) differ");
}
