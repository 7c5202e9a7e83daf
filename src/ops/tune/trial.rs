//! Timing a product.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::error::Result;
use crate::gpu::{Choices, Gpu, Plan, Recording, Tensor, padded};
use crate::ops::activation::{Activation, Origin};
use crate::ops::conv::{self, Geometry};
use crate::ops::matmul::{self, Problem, Product, Variant};
use crate::ops::optimizer::{Optimizer, Update};
use crate::ops::{Extent, State};

/// Smallest duration of a sample, at which the clock's resolution and the submission matter little.
const SAMPLE: Duration = Duration::from_micros(500);

/// A product on random data in one variant.
pub(super) struct Trial {
    plan: Plan,
    /// Number of runs of the product in a sample.
    times: usize,
}

impl Trial {
    /// Compiles the product in `variant` and finds the number of runs in a sample.
    pub fn new(
        gpu: &Gpu,
        problem: &Problem,
        product: Product,
        batch: usize,
        activation: Option<Activation>,
        variant: Variant,
    ) -> Result<Self> {
        let (plan, _) = record(gpu, problem, product, batch, activation, variant);
        let mut trial = Self { plan, times: 1 };
        trial.seconds()?; // compiles
        let times = SAMPLE.as_secs_f64() / trial.seconds()?;
        trial.times = times.ceil().clamp(1.0, 256.0) as usize;
        Ok(trial)
    }

    /// Seconds of one run, as the mean over a sample.
    pub fn seconds(&self) -> Result<f64> {
        let gpu = self.plan.gpu();
        let begun = Instant::now();
        let submission = gpu.submit(|pass| (0..self.times).for_each(|_| self.plan.encode(pass)));
        gpu.wait(submission)?;
        Ok(begun.elapsed().as_secs_f64() / self.times as f64)
    }
}

/// A plan of a product in the form in which training uses it, and the tensors that are filled with
/// random data, which begin with the layer's x, y and weight.
pub fn record(
    gpu: &Gpu,
    problem: &Problem,
    product: Product,
    batch: usize,
    activation: Option<Activation>,
    variant: Variant,
) -> (Plan, Vec<Tensor>) {
    let mut choices = Choices::new(gpu.report());
    choices.set(problem.key(product), variant.to_string());
    let mut recording = Recording::with_choices(gpu.report(), &Arc::new(choices));
    let filled = match *problem {
        Problem::Dense { inputs, outputs } => {
            dense(&mut recording, product, [batch, inputs, outputs], activation)
        }
        Problem::Conv { geometry, inputs, outputs } => {
            convolution(&mut recording, product, &geometry, [batch, inputs, outputs], activation)
        }
    };
    let plan = recording.compile(gpu);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for tensor in &filled {
        let draw = |_| random.random_range(-1.0f32..1.0);
        tensor.write(gpu, &(0..tensor.len()).map(draw).collect::<Vec<_>>());
    }
    (plan, filled)
}

/// A weight of `shape` and a bias behind it, and the tensor of which both are views.
fn parameters(shape: [usize; 2], outputs: usize) -> [Tensor; 3] {
    let bias_at = (shape[0] * padded(shape[1])).next_multiple_of(Tensor::ALIGNMENT);
    let length = bias_at + outputs.next_multiple_of(Tensor::ALIGNMENT);
    let all = Tensor::zeros("trial", &[length]);
    [all.view_matrix(0, &shape), all.view(bias_at, &[outputs]), all]
}

/// Records a linear layer's product and returns the tensors to be filled with random data, the
/// layer's x, y and weight first.
fn dense(
    recording: &mut Recording,
    product: Product,
    [batch, inputs, outputs]: [usize; 3],
    activation: Option<Activation>,
) -> Vec<Tensor> {
    let [x, y] = [inputs, outputs].map(|columns| recording.matrix(&[batch, columns]));
    let [weight, bias, parameter] = parameters([outputs, inputs], outputs);
    let mut filled = vec![x.clone(), y.clone(), weight.clone()];
    match product {
        Product::Forward => {
            let pre = recording.matrix(&[batch, outputs]);
            matmul::forward(recording, "trial", &x, &weight, &bias, activation, &pre, &y);
        }
        Product::BackwardInput => {
            let origin = Origin { activation, pre: recording.matrix(&[batch, inputs]) };
            matmul::backward_input(recording, "trial", &y, &weight, &origin, &x);
            filled.push(origin.pre);
        }
        Product::BackwardWeight => {
            let [first, second] = [(); 2].map(|()| Tensor::zeros("trial", parameter.shape()));
            let layer = matmul::WeightGradient { dy: y, x, weight, bias };
            let (state, optimizer) = (&State::tensor("trial"), &Optimizer::default());
            let (parameter, moments) = (&parameter, [&first, &second]);
            let update = Update { optimizer, state, parameter, moments };
            matmul::backward_weight_step(recording, "trial", &[layer], &update);
        }
    }
    filled
}

/// Records a convolution's product and returns the tensors to be filled: see [`dense`].
fn convolution(
    recording: &mut Recording,
    product: Product,
    geometry: &Geometry,
    [batch, inputs, outputs]: [usize; 3],
    activation: Option<Activation>,
) -> Vec<Tensor> {
    let [input, output] = [(geometry.input(), inputs), (geometry.output(), outputs)]
        .map(|(Extent { height, width }, channels)| [batch * height * width, channels]);
    let (x, y) = (recording.matrix(&input), recording.matrix(&output));
    let [small, large] = geometry.small_and_large([inputs, outputs]);
    let [weight, bias, parameter] = parameters(geometry.weight_shape(small, large), outputs);
    let mut filled = vec![x.clone(), y.clone(), weight.clone()];
    match product {
        Product::Forward => {
            let pre = recording.matrix(&output);
            conv::forward(recording, "trial", geometry, &x, &weight, &bias, activation, &pre, &y);
        }
        Product::BackwardInput => {
            let origin = Origin { activation, pre: recording.matrix(&input) };
            conv::backward_input(recording, "trial", geometry, &y, &weight, &origin, &x);
            filled.push(origin.pre);
        }
        Product::BackwardWeight => {
            let layer = conv::WeightGradient { geometry: *geometry, dy: y, x, weight, bias };
            conv::backward_weight(recording, "trial", &[layer], &parameter);
        }
    }
    filled
}
