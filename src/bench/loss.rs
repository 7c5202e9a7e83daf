//! The reconstruction loss at the size that the preset `mlp` has and at a larger one.

use super::ops::{state, time};
use super::{Suite, random};
use crate::error::Result;
use crate::gpu::{Plan, Tensor};
use crate::ops::likelihood::{Likelihood, Scale};
use crate::ops::loss;

const SHAPES: [[usize; 2]; 2] = [[128, 784], [4096, 784]];

const LIKELIHOODS: [(&str, Likelihood); 4] = [
    ("bernoulli", Likelihood::Bernoulli),
    ("continuous_bernoulli", Likelihood::ContinuousBernoulli),
    ("gaussian", Likelihood::SquaredError),
    ("laplace", Likelihood::Laplace(Scale::Fixed(1.0))),
];

/// Times what `record` does with an output and a target, and returns; it moves `matrices` of them.
fn measure(
    suite: &mut Suite,
    operation: &str,
    (name, matrices): (&str, usize),
    record: impl Fn(&mut Plan, &Tensor, &Tensor) -> Vec<Tensor>,
) -> Result<()> {
    for shape in SHAPES {
        let gpu = suite.gpu.clone();
        let mut plan = Plan::new(&gpu);
        let [output, target] = [(); 2].map(|()| plan.matrix(&shape));
        let results = record(&mut plan, &output, &target);
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
        measure(suite, operation, (name, 3), |plan, output, target| {
            let (batch, dy) = (output.rows(), plan.matrix(output.shape()));
            let losses =
                loss::forward(plan, "bench", likelihood, output, None, target, None, batch, &dy);
            vec![dy, losses]
        })
    })
}

pub(super) fn backward_scale(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let likelihood = Likelihood::Gaussian(Scale::Learnt);
    for sums in [32, 2048] {
        let mut plan = Plan::new(&gpu);
        let [scale, target] = [[1, 1], [1, 784]].map(|shape| Tensor::zeros(&gpu, "bench", &shape));
        let (losses, gradient) = (plan.vector(sums), plan.vector(1));
        loss::backward_scale(
            &mut plan, "bench", likelihood, &target, &losses, &scale, 1, &gradient,
        );
        losses.write(&gpu, &random(1, sums));
        time(suite, operation, (&[sums], ""), [0.0, 4.0 * sums as f64], &[&gradient], &plan)?;
    }
    Ok(())
}

pub(super) fn mean(suite: &mut Suite, operation: &str) -> Result<()> {
    LIKELIHOODS.into_iter().take(2).try_for_each(|(name, likelihood)| {
        measure(suite, operation, (name, 2), |plan, output, _| {
            let mean = plan.matrix(output.shape());
            loss::mean(plan, "bench", likelihood, output, &mean);
            vec![mean]
        })
    })
}

pub(super) fn draw(suite: &mut Suite, operation: &str) -> Result<()> {
    let state = state(&suite.gpu);
    LIKELIHOODS.into_iter().try_for_each(|(name, likelihood)| {
        measure(suite, operation, (name, 2), |plan, output, _| {
            let drawn = plan.matrix(output.shape());
            loss::draw(plan, "bench", likelihood, 1, &state, output, None, &drawn);
            vec![drawn]
        })
    })
}
