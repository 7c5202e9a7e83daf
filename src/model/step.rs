//! One step of a model while it is recorded.

use std::sync::Arc;

use super::phase::Source;
use super::{Columns, Phase, Running, Term, TermSpec, Training};
use crate::config::{ModelConfig, TrainConfig};
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu, Recording, Tensor};
use crate::nn::{Draws, Graph, Shape, ValueId, Weights};
use crate::ops::matmul::Problem;
use crate::ops::noise::{self, Draw};
use crate::ops::report::Report;
use crate::ops::{Stream, ramp, report};

/// Something that can be trained: parameters, and a step.
pub trait Model {
    /// Its parameters, which training moves, and what layers keep beside them.
    fn weights(&self) -> &Weights;

    /// Records a step on a batch: what is computed, in order, with [`Step::update`] wherever parameters
    /// are to move in between. Returns the step's last phase, whose update comes at its end. Outside of
    /// training the same is recorded without the updates, for the losses alone.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being recorded, as a column that the data lack.
    fn record(&self, step: &mut Step) -> Result<Phase>;

    /// The matrix products of a step, each once, the first layer's first ([`crate::nn::Chain::problems`]).
    /// Products that are not among them are not tuned.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Takes the variants of the kernels that training was recorded with.
    fn set_choices(&mut self, _choices: &Arc<Choices>) {}

    /// Statistics of latent variables that its kernels add up: see [`crate::ops::latent::STATISTICS`].
    fn units(&self) -> usize {
        0
    }

    /// The configuration by which a checkpoint knows the model again; without one it goes by the names and
    /// shapes of the parameters alone.
    fn described(&self) -> Option<(&ModelConfig, ImageShape)> {
        None
    }

    /// Figures of the model after an epoch, by name, which are reported beside its losses.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    fn figures(&self, _gpu: &Gpu) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }
}

/// Whether an evaluation draws z from the posterior or takes its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// One draw for each image, the same for the same seed and batch size.
    Seeded(u64),
    /// z at the posterior's mean; the seed is that of a denoising model's corruption.
    Mean(u64),
}

/// The purpose of a step's recording.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// Its updates.
    Training(&'a Training),
    /// Its losses, which add up.
    Evaluation(Noise, &'a Running),
}

/// A step of a model while it is recorded: its graph, its batch, and what becomes of its losses.
pub struct Step<'a> {
    /// The graph that the model's values are recorded into.
    pub graph: Graph<'a>,
    columns: &'a Columns,
    purpose: Purpose<'a>,
    rows: usize,
    /// The losses so far, each with what is to be summed, and the share of such a value in an image.
    terms: Vec<(TermSpec, Option<(Tensor, f64)>)>,
    /// The names of the phases so far.
    phases: Vec<String>,
    /// Matrices of noise drawn so far.
    drawn: u32,
}

/// Records a step of `model` on the next `rows` rows of `columns`, the updates and the report included.
/// Returns the terms of its losses, in the order of [`Running::sums`].
///
/// # Errors
///
/// As [`Model::record`].
pub fn record(
    model: &dyn Model,
    recording: &mut Recording,
    columns: &Columns,
    purpose: Purpose,
    rows: usize,
) -> Result<Vec<TermSpec>> {
    let running = purpose.running();
    let training = match purpose {
        Purpose::Training(Training { config, .. }) => {
            Some(Draws { seed: config.seed, state: &running.state })
        }
        Purpose::Evaluation(..) => None,
    };
    let graph = Graph::new(recording, model.weights(), training);
    let (terms, phases) = (Vec::new(), Vec::new());
    let mut step = Step { graph, columns, purpose, rows, terms, phases, drawn: 0 };
    let last = model.record(&mut step)?;
    let seeds = step.seeds(&last)?;
    let Step { graph, terms, .. } = step;
    if let Purpose::Training(training) = purpose {
        let parameters = &model.weights().parameters;
        let moments = training.moments(&last, parameters.layout())?;
        graph.backward_last(&training.sweep(&last, &moments, parameters, &seeds));
    }
    let reported: Vec<_> = terms.iter().enumerate().filter(|(_, (_, sum))| sum.is_some()).collect();
    for (i, (term, (_, sum))) in reported.iter().enumerate() {
        let (values, share) = sum.as_ref().expect("they were filtered");
        let rows = if i + 1 == reported.len() { rows } else { 0 };
        let report = Report { values, share: *share, term: *term, rows };
        report::accumulate(recording, "step", &report, &running.state, &running.sums);
    }
    Ok(terms.into_iter().map(|(spec, _)| spec).collect())
}

impl<'a> Purpose<'a> {
    fn running(self) -> &'a Running {
        match self {
            Self::Training(training) => &training.running,
            Self::Evaluation(_, running) => running,
        }
    }
}

impl<'a> Step<'a> {
    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether parameters are moved.
    pub fn is_training(&self) -> bool {
        self.training().is_some()
    }

    /// How training was configured, and how many steps an epoch has; nothing outside of training.
    pub fn training(&self) -> Option<(&'a TrainConfig, usize)> {
        match self.purpose {
            Purpose::Training(training) => Some((&training.config, training.steps_per_epoch)),
            Purpose::Evaluation(..) => None,
        }
    }

    /// The data on the adapter.
    pub fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// Counters and running means of the epoch.
    pub fn running(&self) -> &'a Running {
        self.purpose.running()
    }

    /// The seed of what is drawn and the stream it is drawn from; nothing where no noise is wanted.
    pub(super) fn noise(&self) -> (u64, Stream, bool) {
        match self.purpose {
            Purpose::Training(training) => (training.config.seed, Stream::Train, true),
            Purpose::Evaluation(Noise::Seeded(seed), _) => (seed, Stream::Evaluate, true),
            Purpose::Evaluation(Noise::Mean(seed), _) => (seed, Stream::Evaluate, false),
        }
    }

    /// The batch of the column called `name`, as features: images in the order of their values
    /// (channel, row, column), from 0 to 1; floats and counts as they are; a class as zeros with a one
    /// in its place.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Column`] naming the columns that there are when there is none of that name.
    pub fn column(&mut self, name: &str) -> Result<ValueId> {
        self.batch(name, false)
    }

    /// The batch of the column of images called `name` as maps, which convolutions take.
    ///
    /// # Errors
    ///
    /// As [`Step::column`].
    pub fn maps(&mut self, name: &str) -> Result<ValueId> {
        self.batch(name, true)
    }

    fn batch(&mut self, name: &str, maps: bool) -> Result<ValueId> {
        let state = &self.running().state;
        let (shape, x) =
            self.columns.batch(self.graph.recording, (name, maps), self.rows, state)?;
        Ok(self.graph.input(shape, self.rows, x))
    }

    /// Standard normals (rows, size), others with each call and step; zeros where an evaluation wants
    /// no noise.
    pub fn normal(&mut self, rows: usize, size: usize) -> ValueId {
        let (shape, (seed, stream, is_drawn)) = (Shape::Features(size), self.noise());
        let x = match is_drawn {
            true => {
                let x = self.graph.allocate(shape, rows);
                self.drawn += 1;
                let state = &self.running().state;
                let draw = Draw { seed, stream, number: self.drawn };
                noise::normal(self.graph.recording, "noise", draw, state, &x);
                x
            }
            false => Tensor::matrix("no noise", &[rows, size]),
        };
        self.graph.input(shape, rows, x)
    }

    /// Moves parameters as `phase` says, before what is recorded next. What was computed with their
    /// old values can be used on, but no gradient goes back through it any more.
    ///
    /// # Errors
    ///
    /// [`Error::Phase`] when the phase has a name that is taken, trains a module that is not there, or has
    /// a term whose name is taken or which is not one value for each row.
    pub fn update(&mut self, phase: Phase) -> Result<()> {
        let seeds = self.seeds(&phase)?;
        if let Purpose::Training(training) = self.purpose {
            let parameters = self.graph.all_parameters();
            let moments = training.moments(&phase, parameters.layout())?;
            self.graph.backward(&training.sweep(&phase, &moments, parameters, &seeds));
        }
        Ok(())
    }

    /// The gradient of a term's batch mean by the nats of each of `rows` rows.
    fn seed(&mut self, spec: &TermSpec, rows: usize) -> Tensor {
        let Some(objective) = spec.objective.filter(|objective| objective.ramp > 0) else {
            let gradient = [(spec.weight / rows as f64) as f32, 0.0, 0.0, 0.0];
            let gradient = Tensor::constant("loss gradient", &vec![gradient; rows]);
            return gradient.view_matrix(0, &[rows, 1]);
        };
        let gradient = self.graph.recording.matrix(&[rows, 1]);
        let state = &self.purpose.running().state;
        ramp::forward(self.graph.recording, &spec.name, state, &objective, &gradient);
        gradient
    }

    /// Takes the terms of `phase` down, and returns where its sweep begins, and with what gradients.
    fn seeds(&mut self, phase: &Phase) -> Result<Vec<(ValueId, Option<Tensor>)>> {
        let fails = |message: String| Error::Phase { phase: phase.name.clone(), message };
        if self.phases.contains(&phase.name) {
            return Err(fails("two phases of a step have this name".into()));
        }
        self.phases.push(phase.name.clone());
        let layout = self.graph.all_parameters().layout().clone();
        if let Some(module) = phase.trained().missing(&layout) {
            return Err(fails(format!("trains {module}, which is no module with parameters")));
        }
        let mut seeds = Vec::new();
        for Term { spec, source } in &phase.terms {
            let name = &spec.name;
            if name == "loss" {
                return Err(fails("no term can be called loss, which is their sum".into()));
            }
            if self.terms.iter().any(|(other, _)| other.name == *name) {
                return Err(fails(format!("two terms of a step are called {name}")));
            }
            if self.terms.len() == Running::TERMS {
                return Err(fails(format!("a step has at most {} terms", Running::TERMS)));
            }
            let mut sum = None;
            match source {
                Source::Rows(nats) => {
                    let (nats, rows) = (*nats, self.graph.rows(*nats));
                    let shape = self.graph.shape(nats);
                    if shape != Shape::Features(1) {
                        let message = "wants one value for each row (Graph::row_sums)";
                        return Err(fails(format!("term {name}: {message}, and has {shape}")));
                    }
                    if spec.weight != 0.0 {
                        seeds.push((nats, Some(self.seed(spec, rows))));
                    }
                    sum = Some((self.graph.tensor(nats), self.rows as f64 / rows as f64));
                }
                Source::Summed(value, parts) => {
                    seeds.push((*value, None));
                    sum = Some((parts.clone(), 1.0));
                }
                Source::Units => {}
            }
            self.terms.push((spec.clone(), sum));
        }
        if seeds.is_empty() {
            return Err(fails(
                "has no term with a weight, so that there is nothing to train".into(),
            ));
        }
        Ok(seeds)
    }
}
