//! Timing a product.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{Product, Variant, WeightGradient, backward_input, backward_weight_step, forward};
use crate::error::Result;
use crate::gpu::{Choices, Gpu, Plan, Tensor, padded};
use crate::ops::State;
use crate::ops::optimizer::Optimizer;

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
        product: Product,
        sizes: [usize; 3],
        activation: Option<&str>,
        variant: Variant,
    ) -> Result<Self> {
        let plan = record(gpu, product, sizes, activation, variant);
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

/// The product as training has it, on random data.
pub(super) fn record(
    gpu: &Gpu,
    product: Product,
    sizes: [usize; 3],
    activation: Option<&str>,
    variant: Variant,
) -> Plan {
    let [batch, inputs, outputs] = sizes;
    let mut choices = Choices::new(gpu.report());
    choices.set(product.problem(inputs, outputs), variant.to_string());
    let mut plan = Plan::with_choices(gpu, &Arc::new(choices));
    let [x, y] = [inputs, outputs].map(|columns| plan.matrix(&[batch, columns]));
    // A bias behind the weight.
    let bias_at = (outputs * padded(inputs)).next_multiple_of(Tensor::ALIGNMENT);
    let length = bias_at + outputs.next_multiple_of(Tensor::ALIGNMENT);
    let [parameter, first, second] = [(); 3].map(|()| Tensor::zeros(gpu, "trial", &[length]));
    let weight = parameter.view_matrix(0, &[outputs, inputs]);
    let bias = parameter.view(bias_at, &[outputs]);
    let mut filled = vec![x.clone(), y.clone(), weight.clone()];
    match product {
        Product::Forward => {
            let pre = plan.matrix(&[batch, outputs]);
            forward(&mut plan, "trial", &x, &weight, &bias, activation, &pre, &y);
        }
        Product::BackwardInput => {
            let pre = plan.matrix(&[batch, inputs]);
            backward_input(&mut plan, "trial", &y, &weight, activation, &pre, &x);
            filled.push(pre);
        }
        Product::BackwardWeight => {
            let layer = WeightGradient { dy: y, x, weight, bias };
            let (state, moments) = (State::tensor(gpu, "trial"), [&first, &second]);
            let optimizer = Optimizer::default();
            backward_weight_step(
                &mut plan,
                "trial",
                &[layer],
                &optimizer,
                &state,
                &parameter,
                moments,
            );
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for tensor in filled {
        let draw = |_| random.random_range(-1.0f32..1.0);
        tensor.write(gpu, &(0..tensor.len()).map(draw).collect::<Vec<_>>());
    }
    plan
}
