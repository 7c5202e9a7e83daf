//! One step of training: losses, gradients, update.

use std::cell::OnceCell;
use std::sync::Arc;

use super::split::Split;
use crate::gpu::{AdapterReport, Choices, Gpu, Recording};
use crate::model::{Batch, Network, Running, TrainConfig};
use crate::nn::{Draws, Parameters, Sink, Step, Sweep, Train};
use crate::ops::latent::Divergence;
use crate::ops::optimizer::{Optimizer, Update};
use crate::ops::{Stream, report};

/// What training adds to a model on the adapter: the optimizer's moments and the loop's state.
pub struct TrainStep {
    /// The update rule with its learning rate.
    pub optimizer: Optimizer,
    clip_norm: Option<f64>,
    /// What the objective makes of the KL divergence.
    pub divergence: Divergence,
    /// The seed of what layers draw.
    seed: u64,
    /// Whether gradients are stored even where the update could do without.
    store: bool,
    gradients: OnceCell<Parameters>,
    /// The optimizer's mean of gradients or steps.
    pub first_moment: Parameters,
    /// Its mean or sum of squares.
    pub second_moment: Parameters,
    /// What adds up over an epoch.
    pub running: Running,
}

impl TrainStep {
    /// What `network` needs for training as `config` says, with `steps_per_epoch`; nothing of it is on
    /// an adapter before [`TrainStep::begin`].
    /// Parameters are updated where their gradients are computed, unless not all are computed there,
    /// or they are clipped, and so must all be known first.
    pub fn new(network: &Network, config: &TrainConfig, steps_per_epoch: usize) -> Self {
        let layout = network.parameters().layout();
        Self {
            optimizer: config.optimizer(steps_per_epoch),
            clip_norm: config.clip_norm,
            divergence: network.config().divergence(steps_per_epoch, config.epochs),
            seed: config.seed,
            store: false,
            gradients: OnceCell::new(),
            first_moment: Parameters::zeros("first moment", layout),
            second_moment: Parameters::zeros("second moment", layout),
            running: Running::new(network.config()),
        }
    }

    /// Writes what the moments are before the first step.
    pub fn begin(&self, gpu: &Gpu) {
        let initial = self.optimizer.rule.initial_second_moment() as f32;
        if initial > 0.0 {
            let specs = self.second_moment.layout().specs();
            let values: Vec<_> = specs.map(|spec| vec![initial; spec.len()]).collect();
            self.second_moment.write(gpu, &values);
        }
    }

    /// The same, with the gradients stored before the update in any case.
    pub fn with_gradients(self) -> Self {
        Self { store: true, ..self }
    }

    /// The gradients of the last step, before any clipping, laid out as the model's parameters; only
    /// where they are stored.
    pub fn gradients(&self) -> Option<&Parameters> {
        self.gradients.get()
    }

    /// Records a whole step on the next `rows` images of `split`: what is given to the model as well.
    pub(super) fn recording(
        &self,
        network: &Network,
        split: &Split,
        rows: usize,
        adapter: &AdapterReport,
        choices: &Arc<Choices>,
    ) -> Recording {
        let mut recording = Recording::with_choices(adapter, choices);
        let (noise, state) = ((self.seed, Stream::Train), &self.running.state);
        let batch = split.record_batch(&mut recording, network, rows, state, noise, true);
        self.record(&mut recording, network, batch);
        recording
    }

    /// Records a step on `batch`: forward, backward, the optimizer's update, and the report into the
    /// state.
    pub fn record(&self, recording: &mut Recording, network: &Network, batch: Batch) {
        let state = &self.running.state;
        let mut graph = network.graph(recording, Some(Draws { seed: self.seed, state }));
        let elbo = network.elbo(&mut graph, &batch, &self.running, &self.divergence);
        let rows = batch.rows;
        drop(batch);
        let parameter = network.parameters().arena();
        let moments = [&self.first_moment, &self.second_moment].map(Parameters::arena);
        let update = Update { optimizer: &self.optimizer, state, parameter, moments };
        graph.backward_last(&Sweep {
            seeds: &[(elbo.loss, None)],
            train: Train::All,
            sink: Sink::Step(Step {
                update,
                clip_norm: self.clip_norm,
                store: self.store,
                gradients: &self.gradients,
            }),
            variables: &[],
        });
        report::accumulate(recording, "step", rows, &elbo.recon, state);
    }
}
