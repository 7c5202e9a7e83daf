//! Every kernel on the adapter against a plain f64 oracle on the CPU.
//!
//! The oracles are written from the definitions, in the most obvious way, and are themselves checked
//! by central differences. Sizes are awkward on purpose: the kernels run without bounds checks.

mod activate;
mod adam;
mod add;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod dropout;
mod erf;
mod gather;
mod limits;
mod maps;
mod matmul;
mod noise;
mod pool;
mod report;
mod reshape;
mod shuffle;
mod threefry;
mod upsample;

use std::collections::BTreeSet;

use vae_gpu::ops;

/// The case of every entry point. Each is a test of its own; listing it here keeps the two in step.
const CASES: [(&str, fn()); 32] = [
    ("activate.backward", activate::backward),
    ("activate.forward", activate::forward),
    ("adam.step", adam::step),
    ("add.backward", add::backward),
    ("add.forward", add::forward),
    ("dropout.backward", dropout::backward),
    ("dropout.forward", dropout::forward),
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
    ("pool.average_backward", pool::average_backward),
    ("pool.average_forward", pool::average_forward),
    ("pool.max_backward", pool::max_backward),
    ("pool.max_forward", pool::max_forward),
    ("report.accumulate", report::accumulate),
    ("reshape.flatten_backward", reshape::flatten_backward),
    ("reshape.flatten_forward", reshape::flatten_forward),
    ("reshape.unflatten_backward", reshape::unflatten_backward),
    ("reshape.unflatten_forward", reshape::unflatten_forward),
    ("shuffle.permutation", shuffle::permutation),
    ("upsample.backward", upsample::backward),
    ("upsample.forward", upsample::forward),
];

#[test]
fn every_entry_point_has_an_oracle() {
    let mut entries: BTreeSet<_> =
        ops::matmul::forms().map(|entry| format!("matmul.{entry}")).collect();
    for shader in ops::SHADERS {
        let module = naga::front::wgsl::parse_str(&shader.text(&common::CONSTANTS)).unwrap();
        entries.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(entries, cases, "entry points (left) and cases of tests/ops (right) differ");
}
