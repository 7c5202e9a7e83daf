//! One step of training: losses, gradients, update.

use crate::gpu::{Plan, Tensor};
use crate::model::Vae;
use crate::nn::Parameters;
use crate::ops::{State, adam, matmul, report};

/// What training adds to a model on the adapter: Adam's moments and the loop's state.
pub struct TrainStep {
    /// Of the last step, laid out as the model's parameters; only where they were asked for.
    pub gradients: Option<Parameters>,
    /// Adam's first moment.
    pub first_moment: Parameters,
    /// Adam's second raw moment.
    pub second_moment: Parameters,
    /// One [`State`].
    pub state: Tensor,
}

impl TrainStep {
    /// Zeros for `vae`. Parameters are updated where their gradients are computed.
    pub fn new(vae: &Vae) -> Self {
        let zeros = |label: &str| Parameters::zeros(vae.gpu(), label, vae.parameters().layout());
        Self {
            gradients: None,
            first_moment: zeros("first moment"),
            second_moment: zeros("second moment"),
            state: State::tensor(vae.gpu(), "state"),
        }
    }

    /// The same, with the gradients stored before the update.
    pub fn with_gradients(vae: &Vae) -> Self {
        let gradients = Parameters::zeros(vae.gpu(), "gradients", vae.parameters().layout());
        Self { gradients: Some(gradients), ..Self::new(vae) }
    }

    /// Records a step on the batch x (batch, pixels) with the noise epsilon (batch · latent), both
    /// of the plan's own: forward, backward, Adam, and the report into the state.
    pub fn record(&self, plan: &mut Plan, vae: &Vae, x: &Tensor, epsilon: &Tensor) {
        let Self { gradients, state, .. } = self;
        let forward = vae.forward(plan, x, epsilon);
        let layers = vae.backward(plan, state, &forward);
        let updated = [vae.parameters(), &self.first_moment, &self.second_moment];
        let [parameter, first_moment, second_moment] = updated.map(Parameters::arena);
        if let Some(gradients) = gradients {
            let gradient = gradients.arena();
            matmul::backward_weight(plan, "step", &layers, gradient);
            adam::step(plan, "step", state, gradient, parameter, first_moment, second_moment);
        } else {
            let moments = [first_moment, second_moment];
            matmul::backward_weight_adam(plan, "step", &layers, state, parameter, moments);
        }
        report::accumulate(plan, "step", x.rows(), &forward.recon, &forward.kl, state);
    }
}
