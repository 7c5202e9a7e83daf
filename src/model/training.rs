//! The state of training beside a model: the optimizers' moments and the running means.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use super::{Model, Phase, Running};
use crate::config::TrainConfig;
use crate::config::check_optimizer;
use crate::error::Result;
use crate::gpu::{Gpu, Tensor};
use crate::nn::{Layout, OptimizerStep, Parameters, Sink, Sweep, ValueId};
use crate::ops::optimizer::{Optimizer, Update};

/// The state of training beside a model. Nothing of it is on an adapter before [`Training::begin`].
pub struct Training {
    /// How it was configured.
    pub config: TrainConfig,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Counters and running means of an epoch.
    pub running: Running,
    /// Whether gradients are stored even where the update could do without.
    store: bool,
    /// In the order in which they were first recorded.
    phases: RefCell<Vec<Arc<Moments>>>,
}

/// The optimizer of one phase.
pub struct Moments {
    /// The phase's name.
    pub phase: String,
    /// The update rule with its learning rate.
    pub optimizer: Optimizer,
    /// The optimizer's mean of gradients or steps.
    pub first: Parameters,
    /// Its mean or sum of squares.
    pub second: Parameters,
    gradients: OnceLock<Parameters>,
}

impl Training {
    /// The state for training `model` as `config` says, with `steps_per_epoch`.
    pub fn new(model: &dyn Model, config: &TrainConfig, steps_per_epoch: usize) -> Self {
        Self {
            config: config.clone(),
            steps_per_epoch,
            running: Running::new(model.units()),
            store: false,
            phases: RefCell::default(),
        }
    }

    /// The same, with the gradients stored before the update in any case.
    pub fn with_gradients(self) -> Self {
        Self { store: true, ..self }
    }

    /// The phases that were recorded so far.
    pub fn phases(&self) -> Vec<Arc<Moments>> {
        self.phases.borrow().clone()
    }

    /// Writes what the moments are before the first step.
    pub fn begin(&self, gpu: &Gpu) {
        for Moments { optimizer, second, .. } in self.phases().iter().map(Arc::as_ref) {
            let initial = optimizer.rule.initial_second_moment() as f32;
            if initial > 0.0 {
                let specs = second.layout().specs();
                second.write(gpu, &specs.map(|spec| vec![initial; spec.len()]).collect::<Vec<_>>());
            }
        }
    }

    /// The gradients of the last step, before any clipping, laid out as the model's parameters, of the
    /// phase that was recorded last; only where they are stored.
    pub fn gradients(&self) -> Option<Parameters> {
        self.phases.borrow().last().and_then(|moments| moments.gradients.get().cloned())
    }

    /// The moments of `phase`, of a model with parameters of `layout`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Config`] when the phase's optimizer cannot be.
    pub(super) fn moments(&self, phase: &Phase, layout: &Arc<Layout>) -> Result<Arc<Moments>> {
        let mut phases = self.phases.borrow_mut();
        if let Some(moments) = phases.iter().find(|moments| moments.phase == phase.name) {
            return Ok(moments.clone());
        }
        phase.optimizer.iter().try_for_each(check_optimizer)?;
        let moments = Arc::new(Moments {
            phase: phase.name.clone(),
            optimizer: phase.optimizer.unwrap_or(self.config.optimizer(self.steps_per_epoch)),
            first: Parameters::zeros("first moment", layout),
            second: Parameters::zeros("second moment", layout),
            gradients: OnceLock::new(),
        });
        phases.push(moments.clone());
        Ok(moments)
    }

    /// The sweep of `phase` from `seeds`. Parameters are updated where their gradients are computed, unless
    /// not all are computed there, or they are clipped, and so must all be known first.
    pub(super) fn sweep<'a>(
        &'a self,
        phase: &'a Phase,
        moments: &'a Moments,
        parameters: &'a Parameters,
        seeds: &'a [(ValueId, Option<Tensor>)],
    ) -> Sweep<'a> {
        let sink = Sink::Step(OptimizerStep {
            label: &moments.phase,
            update: Update {
                optimizer: &moments.optimizer,
                state: &self.running.state,
                parameter: parameters.arena(),
                moments: [moments.first.arena(), moments.second.arena()],
            },
            clip_norm: self.config.clip_norm,
            store: self.store,
            gradients: &moments.gradients,
        });
        Sweep { seeds, train: phase.trained(), sink, variables: &[] }
    }
}
