//! One step of training: losses, gradients, update.

use crate::gpu::{Plan, Tensor};
use crate::model::{Forward, Vae};
use crate::nn::Parameters;
use crate::ops::{State, adam, report};

/// What training adds to a model on the adapter: gradients, Adam's moments and the loop's state.
pub struct TrainStep {
    /// Of the last step, laid out as the model's parameters.
    pub gradients: Parameters,
    /// Adam's first moment.
    pub first_moment: Parameters,
    /// Adam's second raw moment.
    pub second_moment: Parameters,
    /// One [`State`].
    pub state: Tensor,
}

impl TrainStep {
    /// Zeros for `vae`.
    pub fn new(vae: &Vae) -> Self {
        let gpu = vae.gpu();
        let zeros = |label: &str| Parameters::zeros(gpu, label, vae.parameters().layout());
        Self {
            gradients: zeros("gradients"),
            first_moment: zeros("first moment"),
            second_moment: zeros("second moment"),
            state: State::tensor(gpu, "state"),
        }
    }

    /// Records a step on the batch x (batch, pixels) with the noise epsilon (batch, latent):
    /// forward, backward, Adam, and the report into the state.
    pub fn record(&self, plan: &mut Plan, vae: &Vae, x: &Tensor, epsilon: &Tensor) -> Forward {
        let forward = vae.forward(plan, x, epsilon);
        vae.backward(plan, &self.state, &forward, &self.gradients);
        let all = [&self.gradients, vae.parameters(), &self.first_moment, &self.second_moment];
        let [gradient, parameter, first_moment, second_moment] = all.map(Parameters::arena);
        adam::step(plan, "step", &self.state, gradient, parameter, first_moment, second_moment);
        report::accumulate(plan, "step", &forward.recon, &forward.kl, &self.state);
        forward
    }
}
