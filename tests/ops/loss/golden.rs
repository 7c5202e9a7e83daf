//! Against PyTorch's distributions: see tests/golden/README.md.

use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::likelihood::{
    Likelihood::{self, *},
    Scale::{Fixed, Learnt},
};
use vae_gpu::ops::loss;

use super::one_by_one;
use crate::check;
use crate::common::golden::File;

#[test]
fn losses_gradients_and_means_are_pytorchs() {
    let Some(gpu) = check::gpu() else { return };
    let file = File::read("likelihoods.safetensors");
    // A scale is the same number, learnt or given.
    let given = |name: &str| Fixed(file.floats(&format!("{name}.log_scale"))[0].exp());
    let likelihoods = [
        ("bernoulli", Bernoulli),
        ("continuous_bernoulli", ContinuousBernoulli),
        ("squared_error", SquaredError),
        ("gaussian", Gaussian(Learnt)),
        ("gaussian", Gaussian(given("gaussian"))),
        ("laplace", Laplace(Learnt)),
        ("laplace", Laplace(given("laplace"))),
    ];
    for (name, likelihood) in likelihoods {
        let single = |what: &str| file.singles(&format!("{name}.{what}"));
        let double = |what: &str| file.floats(&format!("{name}.{what}"));
        let (output, x) = (single("output"), single("x"));
        let log_scale = if likelihood.is_learnt() { single("log_scale")[0] } else { 0.0 };
        let [losses, dy] = one_by_one(gpu, (likelihood, log_scale.into()), &output, &x);
        // Logits reach 12, differences 20 and 1300 in units of the variance.
        check::assert_each(&format!("{likelihood:?}.loss"), &losses, &double("loss"), 2e-6, 1.5e-6);
        check::assert_each(
            &format!("{likelihood:?}.doutput"),
            &dy,
            &double("doutput"),
            2e-6,
            1.2e-7,
        );
        if likelihood.takes_logits() {
            let shape = [output.len(), 1];
            let tensor = check::input(gpu, &shape, &output);
            let mean = Tensor::matrix("mean", &shape);
            check::run(gpu, |recording| loss::mean(recording, "test", likelihood, &tensor, &mean));
            let mean: Vec<f32> = mean.read(gpu).unwrap();
            check::assert_each(&format!("{name}.mean"), &mean, &double("mean"), 2e-6, 0.0);
        }
        if likelihood.is_learnt() {
            let got = gradient_by_scale(gpu, likelihood, log_scale, &output, &x);
            check::assert_each(
                &format!("{name}.dlog_scale"),
                &got,
                &double("dlog_scale"),
                2e-6,
                0.0,
            );
        }
    }
}

/// Of the sum over all pairs.
fn gradient_by_scale(
    gpu: &Gpu,
    likelihood: Likelihood,
    log_scale: f32,
    output: &[f32],
    x: &[f32],
) -> Vec<f32> {
    let shape = [1, x.len()];
    let [output, x] = [output, x].map(|values| check::input(gpu, &shape, values));
    let log_scale = check::input(gpu, &[1], &[log_scale]);
    let mut recording = Recording::new(gpu.report());
    let (dy, gradient) = (recording.matrix(&shape), recording.vector(1));
    let scale = Some(&log_scale);
    let losses =
        loss::forward(&mut recording, "test", likelihood, &output, None, &x, scale, 1, &dy);
    loss::backward_scale(&mut recording, "test", likelihood, &x, &losses, &log_scale, 1, &gradient);
    recording.compile(gpu).run();
    gradient.read(gpu).unwrap()
}
