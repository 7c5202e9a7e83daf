//! Timing a product.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::error::Result;
use crate::gpu::{Choices, Gpu, Plan, Tensor, padded};
use crate::ops::activation::Origin;
use crate::ops::conv::{self, Geometry};
use crate::ops::matmul::{self, Problem, Product, Variant};
use crate::ops::optimizer::{Optimizer, Update};
use crate::ops::{Extent, State};

/// How long a sample should last at least: the clock and the submission are then below its noise.
const SAMPLE: Duration = Duration::from_micros(500);

/// A product on random data in one variant.
pub(super) struct Trial {
    plan: Plan,
    /// Runs in a sample.
    times: usize,
}

impl Trial {
    /// Compiles it and runs it, as training does.
    pub fn new(
        gpu: &Gpu,
        problem: &Problem,
        product: Product,
        batch: usize,
        activation: Option<&'static str>,
        variant: Variant,
    ) -> Result<Self> {
        let (plan, _) = record(gpu, problem, product, batch, activation, variant);
        let mut trial = Self { plan, times: 1 };
        trial.seconds()?; // compiles
        let times = SAMPLE.as_secs_f64() / trial.seconds()?;
        trial.times = times.ceil().clamp(1.0, 256.0) as usize;
        Ok(trial)
    }

    /// Seconds that it takes, by one sample.
    pub fn seconds(&self) -> Result<f64> {
        let gpu = self.plan.gpu();
        let begun = Instant::now();
        let submission = gpu.submit(|pass| (0..self.times).for_each(|_| self.plan.encode(pass)));
        gpu.wait(submission)?;
        Ok(begun.elapsed().as_secs_f64() / self.times as f64)
    }
}

/// A product as training has it, on random data, and first of the tensors what a layer has: x, y and
/// weight.
pub(crate) fn record(
    gpu: &Gpu,
    problem: &Problem,
    product: Product,
    batch: usize,
    activation: Option<&'static str>,
    variant: Variant,
) -> (Plan, Vec<Tensor>) {
    let mut choices = Choices::new(gpu.report());
    choices.set(problem.key(product), variant.to_string());
    let mut plan = Plan::with_choices(gpu, &Arc::new(choices));
    let filled = match *problem {
        Problem::Dense { inputs, outputs } => {
            dense(&mut plan, product, [batch, inputs, outputs], activation)
        }
        Problem::Conv { geometry, inputs, outputs } => {
            convolution(&mut plan, product, &geometry, [batch, inputs, outputs], activation)
        }
    };
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for tensor in &filled {
        let draw = |_| random.random_range(-1.0f32..1.0);
        tensor.write(gpu, &(0..tensor.len()).map(draw).collect::<Vec<_>>());
    }
    (plan, filled)
}

/// A weight, and a bias behind it, of a tensor of their own.
fn parameters(gpu: &Gpu, shape: [usize; 2], outputs: usize) -> [Tensor; 3] {
    let bias_at = (shape[0] * padded(shape[1])).next_multiple_of(Tensor::ALIGNMENT);
    let length = bias_at + outputs.next_multiple_of(Tensor::ALIGNMENT);
    let all = Tensor::zeros(gpu, "trial", &[length]);
    [all.view_matrix(0, &shape), all.view(bias_at, &[outputs]), all]
}

/// Records it and returns what is to be filled, as does [`convolution`].
fn dense(
    plan: &mut Plan,
    product: Product,
    [batch, inputs, outputs]: [usize; 3],
    activation: Option<&'static str>,
) -> Vec<Tensor> {
    let gpu = plan.gpu().clone();
    let [x, y] = [inputs, outputs].map(|columns| plan.matrix(&[batch, columns]));
    let [weight, bias, parameter] = parameters(&gpu, [outputs, inputs], outputs);
    let mut filled = vec![x.clone(), y.clone(), weight.clone()];
    match product {
        Product::Forward => {
            let pre = plan.matrix(&[batch, outputs]);
            matmul::forward(plan, "trial", &x, &weight, &bias, activation, &pre, &y);
        }
        Product::BackwardInput => {
            let origin = Origin { name: activation, pre: plan.matrix(&[batch, inputs]) };
            matmul::backward_input(plan, "trial", &y, &weight, &origin, &x);
            filled.push(origin.pre);
        }
        Product::BackwardWeight => {
            let [first, second] = [(); 2].map(|()| Tensor::zeros(&gpu, "trial", parameter.shape()));
            let layer = matmul::WeightGradient { dy: y, x, weight, bias };
            let (state, optimizer) = (&State::tensor(&gpu, "trial"), &Optimizer::default());
            let (parameter, moments) = (&parameter, [&first, &second]);
            let update = Update { optimizer, state, parameter, moments };
            matmul::backward_weight_step(plan, "trial", &[layer], &update);
        }
    }
    filled
}

fn convolution(
    plan: &mut Plan,
    product: Product,
    geometry: &Geometry,
    [batch, inputs, outputs]: [usize; 3],
    activation: Option<&'static str>,
) -> Vec<Tensor> {
    let gpu = plan.gpu().clone();
    let [input, output] = [(geometry.input(), inputs), (geometry.output(), outputs)]
        .map(|(Extent { height, width }, channels)| [batch * height * width, channels]);
    let (x, y) = (plan.matrix(&input), plan.matrix(&output));
    let [small, large] = geometry.small_and_large([inputs, outputs]);
    let [weight, bias, parameter] = parameters(&gpu, geometry.weight_shape(small, large), outputs);
    let mut filled = vec![x.clone(), y.clone(), weight.clone()];
    match product {
        Product::Forward => {
            let pre = plan.matrix(&output);
            conv::forward(plan, "trial", geometry, &x, &weight, &bias, activation, &pre, &y);
        }
        Product::BackwardInput => {
            let origin = Origin { name: activation, pre: plan.matrix(&input) };
            conv::backward_input(plan, "trial", geometry, &y, &weight, &origin, &x);
            filled.push(origin.pre);
        }
        Product::BackwardWeight => {
            let layer = conv::WeightGradient { geometry: *geometry, dy: y, x, weight, bias };
            conv::backward_weight(plan, "trial", &[layer], &parameter);
        }
    }
    filled
}
