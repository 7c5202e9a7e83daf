//! Every kernel on the adapter against a plain f64 oracle on the CPU.
//!
//! The oracles are written from the definitions, in the most obvious way, and are themselves checked
//! by central differences. Sizes are awkward on purpose: the kernels run without bounds checks.

mod adam;
mod batch_norm;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod erf;
mod gather;
mod layer_norm;
mod limits;
mod matmul;
mod noise;
mod norms;
mod report;
mod shuffle;
mod threefry;

use std::collections::BTreeSet;

use vae_gpu::ops;

/// The case of every entry point. Each is a test of its own; listing it here keeps the two in step.
const CASES: [(&str, fn()); 26] = [
    ("adam.step", adam::step),
    ("batch_norm.backward", batch_norm::backward),
    ("batch_norm.backward_sums", batch_norm::in_chunks),
    ("batch_norm.evaluate", batch_norm::evaluate),
    ("batch_norm.forward", batch_norm::forward),
    ("batch_norm.statistics", batch_norm::in_chunks),
    ("gather.batch", gather::batch),
    ("layer_norm.backward_input", layer_norm::backward_input),
    ("layer_norm.backward_sums", layer_norm::in_chunks),
    ("layer_norm.backward_weight", layer_norm::backward_weight),
    ("layer_norm.forward", layer_norm::forward),
    ("layer_norm.statistics", layer_norm::in_chunks),
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
];

#[test]
fn every_entry_point_has_an_oracle() {
    let mut entries: BTreeSet<_> =
        ops::matmul::forms().map(|entry| format!("matmul.{entry}")).collect();
    let constants = [("QUADS", 1), ("ACTIVATION", 0), ("INVOCATIONS", 8)];
    for shader in ops::SHADERS {
        let module = naga::front::wgsl::parse_str(&shader.text(&constants)).unwrap();
        entries.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(entries, cases, "entry points (left) and cases of tests/ops (right) differ");
}
