//! One step of training: losses, gradients, update.

use crate::gpu::{Gpu, Plan, Tensor};
use crate::model::{Forward, Vae};
use crate::nn::Parameters;
use crate::ops::{State, adam, report};

/// What training adds to a model on the adapter: gradients, Adam's moments and the loop's state.
pub struct TrainStep {
    /// Of the last step, laid out as the model's parameters.
    pub gradients: Parameters,
    /// Adam's first moment.
    pub mean: Parameters,
    /// Adam's second raw moment.
    pub square: Parameters,
    /// One [`State`].
    pub state: Tensor,
}

impl TrainStep {
    /// Zeros for `vae`.
    pub fn new(gpu: &Gpu, vae: &Vae) -> Self {
        let zeros = |label: &str| Parameters::zeros(gpu, label, vae.parameters().layout());
        Self {
            gradients: zeros("gradients"),
            mean: zeros("mean"),
            square: zeros("square"),
            state: State::tensor(gpu, "state"),
        }
    }

    /// Records a step on the batch x (batch, pixels) with the noise epsilon (batch, latent):
    /// forward, backward, Adam, and the report into the state.
    pub fn record(&self, plan: &mut Plan, vae: &Vae, x: &Tensor, epsilon: &Tensor) -> Forward {
        let forward = vae.forward(plan, x, epsilon);
        vae.backward(plan, &self.state, &forward, &self.gradients);
        let all = [&self.gradients, vae.parameters(), &self.mean, &self.square];
        let [gradient, parameter, mean, square] = all.map(Parameters::arena);
        adam::step(plan, "step", &self.state, gradient, parameter, mean, square);
        report::accumulate(plan, "step", &forward.recon, &forward.kl, &self.state);
        forward
    }
}
