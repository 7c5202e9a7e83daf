//! The reconstruction loss at the size of the preset `mlp` and at a larger one.

use super::ops::{state, time};
use super::{Suite, random};
use vae_gpu::Result;
use vae_gpu::gpu::{Recording, Tensor};
use vae_gpu::ops::likelihood::{Likelihood, Scale};
use vae_gpu::ops::loss;

const SHAPES: [[usize; 2]; 2] = [[128, 784], [4096, 784]];

const LIKELIHOODS: [(&str, Likelihood); 4] = [
    ("bernoulli", Likelihood::Bernoulli),
    ("continuous_bernoulli", Likelihood::ContinuousBernoulli),
    ("gaussian", Likelihood::SquaredError),
    ("laplace", Likelihood::Laplace(Scale::Fixed(1.0))),
];

/// Times the plan that `record` records for an output and a target, and checks the tensors that it
/// returns; the plan reads or writes `matrices` matrices of the output's size.
fn measure(
    suite: &mut Suite,
    operation: &str,
    (name, matrices): (&str, usize),
    record: impl Fn(&mut Recording, &Tensor, &Tensor) -> Vec<Tensor>,
) -> Result<()> {
    for shape in SHAPES {
        let gpu = suite.gpu.clone();
        let mut recording = Recording::new(gpu.report());
        let [output, target] = [(); 2].map(|()| recording.matrix(&shape));
        let results = record(&mut recording, &output, &target);
        let plan = recording.compile(&gpu);
        for (seed, tensor) in [(1, &output), (2, &target)] {
            tensor.write(&gpu, &random(seed, tensor.len()));
        }
        let bytes = (4 * matrices * output.len()) as f64;
        let results: Vec<_> = results.iter().collect();
        time(suite, operation, (&shape, name), [0.0, bytes], &results, &plan)?;
    }
    Ok(())
}

pub(super) fn forward(suite: &mut Suite, operation: &str) -> Result<()> {
    LIKELIHOODS.into_iter().try_for_each(|(name, likelihood)| {
        measure(suite, operation, (name, 3), |recording, output, target| {
            let (batch, dy) = (output.rows(), recording.matrix(output.shape()));
            let losses = loss::forward(
                recording, "bench", likelihood, output, None, target, None, batch, &dy,
            );
            vec![dy, losses]
        })
    })
}

pub(super) fn backward_scale(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let likelihood = Likelihood::Gaussian(Scale::Learnt);
    for sums in [32, 2048] {
        let mut recording = Recording::new(gpu.report());
        let [scale, target] = [[1, 1], [1, 784]].map(|shape| Tensor::zeros("bench", &shape));
        let (losses, gradient) = (recording.vector(sums), recording.vector(1));
        loss::backward_scale(
            &mut recording,
            "bench",
            likelihood,
            &target,
            &losses,
            &scale,
            1,
            &gradient,
        );
        let plan = recording.compile(&gpu);
        losses.write(&gpu, &random(1, sums));
        time(suite, operation, (&[sums], ""), [0.0, 4.0 * sums as f64], &[&gradient], &plan)?;
    }
    Ok(())
}

pub(super) fn mean(suite: &mut Suite, operation: &str) -> Result<()> {
    LIKELIHOODS.into_iter().take(2).try_for_each(|(name, likelihood)| {
        measure(suite, operation, (name, 2), |recording, output, _| {
            let mean = recording.matrix(output.shape());
            loss::mean(recording, "bench", likelihood, output, &mean);
            vec![mean]
        })
    })
}

pub(super) fn draw(suite: &mut Suite, operation: &str) -> Result<()> {
    let state = state(&suite.gpu);
    LIKELIHOODS.into_iter().try_for_each(|(name, likelihood)| {
        measure(suite, operation, (name, 2), |recording, output, _| {
            let drawn = recording.matrix(output.shape());
            loss::draw(recording, "bench", likelihood, 1, &state, output, None, &drawn);
            vec![drawn]
        })
    })
}
