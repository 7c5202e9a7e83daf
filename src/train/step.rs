//! One step of training: losses, gradients, update.

use crate::gpu::Recording;
use crate::model::{Batch, Running, TrainConfig, Vae};
use crate::nn::{Draws, Parameters};
use crate::ops::latent::Divergence;
use crate::ops::optimizer::{self, Optimizer, Update};
use crate::ops::{clip, conv, matmul, report};

/// What training adds to a model on the adapter: the optimizer's moments and the loop's state.
pub struct TrainStep {
    /// The update rule with its learning rate.
    pub optimizer: Optimizer,
    clip_norm: Option<f64>,
    /// What the objective makes of the KL divergence.
    pub divergence: Divergence,
    /// Of what layers draw.
    seed: u64,
    /// Of the last step and before any clipping, laid out as the model's parameters; only where they
    /// are stored.
    pub gradients: Option<Parameters>,
    /// The optimizer's mean of gradients or steps.
    pub first_moment: Parameters,
    /// Its mean or sum of squares.
    pub second_moment: Parameters,
    /// What adds up over an epoch.
    pub running: Running,
}

impl TrainStep {
    /// What `vae` needs at the beginning of training as `config` says, with `steps_per_epoch`.
    /// Parameters are updated where their gradients are computed, unless not all are computed there,
    /// or they are clipped, and so must all be known first.
    pub fn new(vae: &Vae, config: &TrainConfig, steps_per_epoch: usize) -> Self {
        let step = Self::unstored(vae, config, steps_per_epoch);
        let fused = config.clip_norm.is_none() && vae.network().is_fusible();
        if fused { step } else { step.store_gradients(vae) }
    }

    /// As [`TrainStep::new`], with the gradients stored before the update in any case.
    pub fn with_gradients(vae: &Vae, config: &TrainConfig, steps_per_epoch: usize) -> Self {
        Self::unstored(vae, config, steps_per_epoch).store_gradients(vae)
    }

    fn unstored(vae: &Vae, config: &TrainConfig, steps_per_epoch: usize) -> Self {
        let layout = vae.parameters().layout();
        let zeros = |label: &str| Parameters::zeros(label, layout);
        let optimizer = config.optimizer(steps_per_epoch);
        let second_moment = zeros("second moment");
        let initial = optimizer.rule.initial_second_moment() as f32;
        if initial > 0.0 {
            let values: Vec<_> = layout.specs().map(|spec| vec![initial; spec.len()]).collect();
            second_moment.write(vae.gpu(), &values);
        }
        Self {
            optimizer,
            clip_norm: config.clip_norm,
            divergence: vae.config().divergence(steps_per_epoch, config.epochs),
            seed: config.seed,
            gradients: None,
            first_moment: zeros("first moment"),
            second_moment,
            running: Running::new(vae),
        }
    }

    fn store_gradients(self, vae: &Vae) -> Self {
        let gradients = Parameters::zeros("gradients", vae.parameters().layout());
        Self { gradients: Some(gradients), ..self }
    }

    /// Records a step on `batch`, of the plan's own: forward, backward, the optimizer's update, and
    /// the report into the state.
    pub fn record(&self, plan: &mut Recording, vae: &Vae, batch: &Batch) {
        let Self { optimizer, gradients, running, seed, .. } = self;
        let state = &running.state;
        let forward = vae.forward(plan, batch, running, Some(*seed));
        let draws = Draws { seed: *seed, state };
        let (layers, convolutions) =
            vae.backward(plan, &forward, &self.divergence, draws, gradients.as_ref());
        let parameter = vae.parameters().arena();
        let moments = [&self.first_moment, &self.second_moment].map(Parameters::arena);
        let update = Update { optimizer, state, parameter, moments };
        if let Some(gradients) = gradients {
            let gradient = gradients.arena();
            matmul::backward_weight(plan, "step", &layers, gradient);
            conv::backward_weight(plan, "step", &convolutions, gradient);
            let factor = self.clip_norm.map(|max_norm| {
                let squares = clip::squares(plan, "step", gradient);
                clip::factor(plan, "step", &squares, max_norm)
            });
            optimizer::step(plan, "step", &update, gradient, factor.as_ref());
        } else {
            matmul::backward_weight_step(plan, "step", &layers, &update);
            conv::backward_weight_step(plan, "step", &convolutions, &update);
        }
        report::accumulate(plan, "step", batch.rows, &forward.recon, state);
    }
}
