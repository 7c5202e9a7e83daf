//! One step of training: losses, gradients, update.

use crate::gpu::Plan;
use crate::model::{Batch, Running, Vae};
use crate::nn::{Draws, Parameters};
use crate::ops::latent::Divergence;
use crate::ops::{adam, conv, matmul, report};

/// What training adds to a model on the adapter: the optimizer's moments and the loop's state.
pub struct TrainStep {
    /// Of the last step, laid out as the model's parameters; only where they were asked for or are
    /// needed.
    pub gradients: Option<Parameters>,
    /// The optimizer's first moment.
    pub first_moment: Parameters,
    /// Its second moment.
    pub second_moment: Parameters,
    /// What adds up over an epoch.
    pub running: Running,
    /// What the objective makes of the KL divergence.
    pub divergence: Divergence,
    /// Of what layers draw.
    pub seed: u64,
}

impl TrainStep {
    /// Zeros for `vae`. Where products give all gradients, parameters are updated where those are
    /// computed.
    pub fn new(vae: &Vae, divergence: Divergence, seed: u64) -> Self {
        let zeros = |label: &str| Parameters::zeros(vae.gpu(), label, vae.parameters().layout());
        Self {
            gradients: (!vae.network().is_fusible()).then(|| zeros("gradients")),
            first_moment: zeros("first moment"),
            second_moment: zeros("second moment"),
            running: Running::new(vae),
            divergence,
            seed,
        }
    }

    /// The same, with the gradients stored before the update.
    pub fn with_gradients(vae: &Vae, divergence: Divergence, seed: u64) -> Self {
        let gradients = Parameters::zeros(vae.gpu(), "gradients", vae.parameters().layout());
        Self { gradients: Some(gradients), ..Self::new(vae, divergence, seed) }
    }

    /// Records a step on `batch`, of the plan's own: forward, backward, the optimizer's update, and
    /// the report into the state.
    pub fn record(&self, plan: &mut Plan, vae: &Vae, batch: &Batch) {
        let Self { gradients, running, seed, .. } = self;
        let state = &running.state;
        let forward = vae.forward(plan, batch, running, Some(*seed));
        let draws = Draws { seed: *seed, state };
        let (layers, convolutions) =
            vae.backward(plan, &forward, &self.divergence, draws, gradients.as_ref());
        let updated = [vae.parameters(), &self.first_moment, &self.second_moment];
        let [parameter, first_moment, second_moment] = updated.map(Parameters::arena);
        if let Some(gradients) = gradients {
            let gradient = gradients.arena();
            matmul::backward_weight(plan, "step", &layers, gradient);
            conv::backward_weight(plan, "step", &convolutions, gradient);
            adam::step(plan, "step", state, gradient, parameter, first_moment, second_moment);
        } else {
            let moments = [first_moment, second_moment];
            matmul::backward_weight_adam(plan, "step", &layers, state, parameter, moments);
        }
        report::accumulate(plan, "step", batch.rows, &forward.recon, &forward.kl, state);
    }
}
