//! Every kernel on the adapter against a plain f64 oracle on the CPU.
//!
//! The oracles are written from the definitions, in the most obvious way, and are themselves checked
//! by central differences. Sizes are awkward on purpose: the kernels run without bounds checks.

mod activate;
mod add;
mod batch_norm;
mod check;
mod clip;
mod column_sums;
mod columns;
#[path = "../common/mod.rs"]
mod common;
mod concat;
mod conv;
mod density;
mod dropout;
mod erf;
mod expression;
mod gather;
mod latent;
mod layer_norm;
mod limits;
mod log_mean_exp;
mod loss;
mod maps;
mod matmul;
mod noise;
mod norms;
mod optimizer;
mod pixel_shuffle;
mod pool;
mod ramp;
mod repeat;
mod report;
mod reshape;
mod schedule;
mod shuffle;
mod sums;
mod threefry;
mod upsample;

use std::collections::BTreeSet;

use vae_gpu::ops;

/// The case of every entry point. Each is a test of its own; listing it here keeps the two in step.
const CASES: &[(&str, fn())] = &[
    ("activate.backward", activate::backward),
    ("activate.forward", activate::forward),
    ("add.backward", add::backward),
    ("add.forward", add::forward),
    ("batch_norm.backward", batch_norm::backward),
    ("batch_norm.backward_sums", batch_norm::in_chunks),
    ("batch_norm.evaluate", batch_norm::evaluate),
    ("batch_norm.forward", batch_norm::forward),
    ("batch_norm.statistics", batch_norm::in_chunks),
    ("clip.factor", clip::factor),
    ("clip.squares", clip::squares),
    ("column_sums.parts", column_sums::parts),
    ("columns.counts", columns::counts),
    ("columns.floats", columns::floats),
    ("columns.one_hot", columns::one_hot),
    ("concat.backward", concat::backward),
    ("concat.forward", concat::forward),
    ("conv.backward_input", conv::backward_input),
    ("conv.backward_weight", conv::backward_weight),
    ("conv.forward", conv::forward),
    ("conv_transpose.backward_input", conv::transposed_backward_input),
    ("conv_transpose.forward", conv::transposed_forward),
    ("dropout.backward", dropout::backward),
    ("dropout.forward", dropout::forward),
    ("expression.each", expression::each),
    ("expression.sums", expression::sums),
    ("gather.batch", gather::batch),
    ("latent.backward", latent::backward),
    ("latent.forward", latent::forward),
    ("latent.total", latent::backward),
    ("layer_norm.backward_input", layer_norm::backward_input),
    ("layer_norm.backward_sums", layer_norm::in_chunks),
    ("layer_norm.backward_weight", layer_norm::backward_weight),
    ("layer_norm.forward", layer_norm::forward),
    ("layer_norm.statistics", layer_norm::in_chunks),
    ("limits.arithmetic", limits::arithmetic),
    ("limits.copy", limits::copy),
    ("limits.touch", limits::touch),
    ("log_mean_exp.accumulate", log_mean_exp::accumulate),
    ("log_mean_exp.backward", log_mean_exp::backward),
    ("log_mean_exp.forward", log_mean_exp::forward),
    ("loss.backward_scale", loss::backward_scale),
    ("loss.draw", loss::draw),
    ("loss.forward", loss::forward),
    ("loss.mean", loss::mean),
    ("matmul.backward_input", matmul::backward_input),
    ("matmul.backward_weight", matmul::backward_weight),
    ("matmul.backward_weight_step", matmul::backward_weight_step),
    ("matmul.forward", matmul::forward),
    ("matmul/naive.naive", matmul::naive),
    ("noise.normal", noise::normal),
    ("optimizer.step", optimizer::step),
    ("pixel_shuffle.backward", pixel_shuffle::backward),
    ("pixel_shuffle.forward", pixel_shuffle::forward),
    ("pool.avg_backward", pool::avg_backward),
    ("pool.avg_forward", pool::avg_forward),
    ("pool.max_backward", pool::max_backward),
    ("pool.max_forward", pool::max_forward),
    ("ramp.forward", ramp::forward),
    ("repeat.backward", repeat::backward),
    ("repeat.forward", repeat::forward),
    ("report.accumulate", report::accumulate),
    ("reshape.flatten", reshape::flatten),
    ("reshape.unflatten", reshape::unflatten),
    ("shuffle.permutation", shuffle::permutation),
    ("sums.parts", sums::parts),
    ("sums_step.parts", conv::backward_weight_step),
    ("upsample.backward", upsample::backward),
    ("upsample.forward", upsample::forward),
];

#[test]
fn every_entry_point_has_an_oracle() {
    let mut entries: BTreeSet<_> = ops::matmul::forms().map(String::from).collect();
    // Expressions are written into one file, whose entry points are those of each.
    let written = expression::written();
    for shader in ops::SHADERS.iter().copied().chain([&written]) {
        let module = naga::front::wgsl::parse_str(&shader.text(&common::CONSTANTS)).unwrap();
        entries.extend(module.entry_points.iter().map(|e| format!("{}.{}", shader.name, e.name)));
    }
    let cases: BTreeSet<_> = CASES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(entries, cases, "entry points (left) and cases of tests/ops (right) differ");
}
