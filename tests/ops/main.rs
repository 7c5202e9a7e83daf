//! Every kernel on the adapter against a plain f64 oracle on the CPU.
//!
//! The oracles are written from the definitions, in the most obvious way, and are themselves checked
//! by central differences. Sizes are awkward on purpose: the kernels run without bounds checks.

mod check;
mod clip;
#[path = "../common/mod.rs"]
mod common;
mod erf;
mod gather;
mod limits;
mod matmul;
mod noise;
mod optimizer;
mod report;
mod schedule;
mod shuffle;
mod threefry;

use std::collections::BTreeSet;

use vae_gpu::ops;

/// The case of every entry point. Each is a test of its own; listing it here keeps the two in step.
const CASES: [(&str, fn()); 18] = [
    ("clip.factor", clip::factor),
    ("clip.squares", clip::squares),
    ("gather.batch", gather::batch),
    ("limits.arithmetic", limits::arithmetic),
    ("limits.copy", limits::copy),
    ("limits.touch", limits::touch),
    ("matmul.backward_input", matmul::backward_input),
    ("matmul.backward_latent", matmul::backward_latent),
    ("matmul.backward_weight", matmul::backward_weight),
    ("matmul.backward_weight_step", matmul::backward_weight_step),
    ("matmul.forward", matmul::forward),
    ("matmul.forward_latent", matmul::forward_latent),
    ("matmul.forward_loss", matmul::forward_loss),
    ("matmul/naive.naive", matmul::naive),
    ("noise.normal", noise::normal),
    ("optimizer.step", optimizer::step),
    ("report.accumulate", report::accumulate),
    ("shuffle.permutation", shuffle::permutation),
];

#[test]
fn every_entry_point_has_an_oracle() {
    let mut entries: BTreeSet<_> =
        ops::matmul::forms().map(|entry| format!("matmul.{entry}")).collect();
    for shader in ops::SHADERS {
        let constants = [("QUADS", 1), ("OPTIMIZER", 0), ("MOMENTUM", 0)];
        let module = naga::front::wgsl::parse_str(&shader.text(&constants)).unwrap();
        entries.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(entries, cases, "entry points (left) and cases of tests/ops (right) differ");
}
