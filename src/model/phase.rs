//! Phases of a step: the losses that it minimizes and the parameters that it moves.

use crate::gpu::Tensor;
use crate::nn::{Train, ValueId};
use crate::ops::latent::KlObjective;
use crate::ops::optimizer::Optimizer;

/// A part of a step: losses, the parameters that are moved to make them smaller, and how.
pub struct Phase {
    /// Its name. The optimizer's moments are kept under it from step to step.
    pub name: String,
    /// The losses, which are added.
    pub terms: Vec<Term>,
    /// The modules whose parameters it trains, as in `encoder`; every one where there is no list.
    pub train: Option<Vec<String>>,
    /// How the parameters follow their gradients; without one, as the training's configuration says.
    pub optimizer: Option<Optimizer>,
}

impl Phase {
    /// A phase that trains every parameter as the training's configuration says.
    pub fn new(name: &str, terms: impl Into<Vec<Term>>) -> Self {
        Self { name: name.into(), terms: terms.into(), train: None, optimizer: None }
    }

    /// The same, training only parameters whose names begin with one of `modules` and a dot.
    pub fn train(self, modules: &[&str]) -> Self {
        let modules = modules.iter().map(|module| module.to_string()).collect();
        Self { train: Some(modules), ..self }
    }

    /// The same with an optimizer of its own.
    pub fn optimizer(self, optimizer: Optimizer) -> Self {
        Self { optimizer: Some(optimizer), ..self }
    }

    /// Which parameters a sweep trains.
    pub(super) fn trained(&self) -> Train<'_> {
        self.train.as_deref().map_or(Train::All, Train::Only)
    }
}

/// A term of a loss, in nats, whose mean over the batch is minimized.
#[derive(Clone)]
pub struct Term {
    pub(super) spec: TermSpec,
    pub(super) source: Source,
}

/// Where a term comes from.
#[derive(Clone)]
pub(super) enum Source {
    /// Nats of each row.
    Rows(ValueId),
    /// A value that knows the gradient of the batch mean itself, and parts that add up to the batch's
    /// nats.
    Summed(ValueId, Tensor),
    /// The statistics of latent variables, whose kernels report them and take their gradient along.
    Units,
}

/// The description of a term, which outlives its recording.
#[derive(Clone, Debug, PartialEq)]
pub struct TermSpec {
    /// The name, as in metrics.
    pub name: String,
    /// Its weight in the loss.
    pub weight: f64,
    /// The objective's use of a KL divergence, its weight and schedule included; nothing for other terms.
    pub objective: Option<KlObjective>,
    /// Whether that divergence is known for each latent variable, from their statistics.
    pub is_of_units: bool,
}

impl TermSpec {
    /// A term of weight 1.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), weight: 1.0, objective: None, is_of_units: false }
    }

    /// The KL divergence of latent variables from their prior.
    pub fn kl(name: &str, objective: KlObjective) -> Self {
        let (name, weight) = (name.into(), objective.weight);
        Self { name, weight, objective: Some(objective), is_of_units: true }
    }
}

impl Term {
    /// The mean of `nats` (rows, 1) over the rows of the batch.
    pub fn new(name: &str, nats: ValueId) -> Self {
        Self { spec: TermSpec::new(name), source: Source::Rows(nats) }
    }

    /// The same, `weight` times; with a weight of 0 it is only reported. Panics for a term of a model's own
    /// kernels, which know its weight.
    pub fn weighted(mut self, weight: f64) -> Self {
        let is_rows = matches!(self.source, Source::Rows(_));
        assert!(is_rows, "{}: its kernel knows the weight", self.spec.name);
        self.spec.weight = weight;
        self
    }

    /// The same with the weight and the schedule of `objective`, which has neither free bits nor a capacity,
    /// for a KL divergence. Panics for a term of a model's own kernels.
    pub fn scheduled(self, objective: KlObjective) -> Self {
        let mut term = self.weighted(objective.weight);
        term.spec.objective = Some(objective);
        term
    }

    /// A term whose kernel has computed the gradient of its batch mean already, which the backward
    /// pass of `value` adds; `parts` add up to the batch's nats.
    pub(super) fn summed(name: &str, value: ValueId, parts: Tensor) -> Self {
        Self { spec: TermSpec::new(name), source: Source::Summed(value, parts) }
    }

    /// The KL divergence of latent variables, which [`crate::ops::latent`] computes along with z.
    pub(super) fn kl(name: &str, objective: KlObjective) -> Self {
        Self { spec: TermSpec::kl(name, objective), source: Source::Units }
    }
}
