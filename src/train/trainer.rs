//! Training: what it is made of, and where it stands.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::Evaluator;
use super::batches::{Batches, recorded};
use crate::config::{Config, TrainConfig};
use crate::data::{Dataset, Table};
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu, Plan, Recording};
use crate::model::{
    Columns, Model, Noise, Placement, Purpose, Residence, Running, Totals, Training, Vae,
};
use crate::ops::tune::{self, Tune};
use crate::ops::{State, shuffle};

/// Options of one call of training, which are not part of a [`Config`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TrainOptions {
    /// Stop once this many steps have been taken since the beginning.
    pub max_steps: Option<u32>,
    /// Steps in a submission; without it, as many as take about a tenth of a second.
    pub steps_per_submission: Option<usize>,
    /// Time from one look at the loss to the next within an epoch; without it, a few seconds.
    pub look_every: Option<Duration>,
    /// How much to try for the fastest kernels; nothing by default. Equal seeds give equal bits only with
    /// equal kernels.
    pub tune: Tune,
    /// Where the data lie while steps take them.
    pub placement: Placement,
}

/// Trains a model on the training split of a dataset: a [`Vae`], or any other [`Model`].
///
/// Only the adapter and counters change, so training takes `&self`, and the model can be looked at, used
/// and saved between epochs.
pub struct Trainer<M = Vae> {
    pub(super) gpu: Gpu,
    /// The configuration; for a model that is no VAE only its part on training says anything.
    pub(super) config: Config,
    pub(super) options: TrainOptions,
    pub(super) model: M,
    pub(super) choices: Arc<Choices>,
    pub(super) training: Training,
    /// Where training stands, between two calls.
    pub(super) totals: RefCell<Totals>,
    /// The permutation of rows that all lie on the adapter.
    pub(super) shuffle: Option<Plan>,
    pub(super) batches: Batches,
    pub(super) evaluator: Option<Evaluator>,
    /// Checksums of the training data and of the test split, by which a checkpoint knows them again.
    pub(super) checksums: [u32; 2],
    /// How the checkpoint was trained that this goes on from.
    pub(super) before: Option<TrainConfig>,
    residence: (Residence, u64),
}

impl Trainer {
    /// Puts a new model, initialised from the configuration's seed, and the dataset on the adapter.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] or [`Error::Layer`] when the configuration cannot be, [`Error::Batch`] when
    /// the batch is larger than the data, [`Error::Input`] when no column of it holds images,
    /// [`Error::Column`] when the classes are not there that a conditional model asks for, or others are,
    /// [`Error::TooLarge`] when something does not fit the adapter.
    pub fn new(gpu: &Gpu, config: &Config, data: &Dataset, options: TrainOptions) -> Result<Self> {
        Self::of_config(gpu, config, data, options, None)
    }

    /// The same as [`Trainer::new`], with the kernels that `choices` name if they were chosen on this
    /// adapter.
    pub(super) fn of_config(
        gpu: &Gpu,
        config: &Config,
        data: &Dataset,
        options: TrainOptions,
        choices: Option<Choices>,
    ) -> Result<Self> {
        config.check()?;
        check_batch(config.train.batch_size, data)?;
        let config = Config { model: config.model.with_classes(&data.train)?, ..config.clone() };
        let vae = Vae::new(gpu, &config.model, data.shape()?, config.train.seed)?;
        Self::build(gpu, vae, &config, data, options, choices)
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl<M: Model> Trainer<M> {
    /// Puts the dataset on the adapter, for training `model`, whose parameters have been written there,
    /// as `config` says.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the configuration cannot be, [`Error::Batch`] when the batch is larger
    /// than the data, [`Error::Column`] when a conditional model was made for other classes than the data's,
    /// [`Error::TooLarge`] when something does not fit the adapter, and what [`Model::record`] fails with.
    pub fn with_model(
        gpu: &Gpu,
        model: M,
        config: &TrainConfig,
        data: &Dataset,
        options: TrainOptions,
    ) -> Result<Self> {
        Self::of_model(gpu, model, config, data, options, None)
    }

    pub(super) fn of_model(
        gpu: &Gpu,
        model: M,
        config: &TrainConfig,
        data: &Dataset,
        options: TrainOptions,
        choices: Option<Choices>,
    ) -> Result<Self> {
        let mut config = Config { train: config.clone(), ..Config::default() };
        if let Some((described, _)) = model.described() {
            config.model = described.with_classes(&data.train)?;
        }
        config.check()?;
        check_batch(config.train.batch_size, data)?;
        Self::build(gpu, model, &config, data, options, choices)
    }

    fn build(
        gpu: &Gpu,
        mut model: M,
        config: &Config,
        data: &Dataset,
        options: TrainOptions,
        choices: Option<Choices>,
    ) -> Result<Self> {
        check_weights(gpu, &model)?;
        let TrainConfig { batch_size, seed, .. } = config.train;
        let columns = Columns::of(gpu, &data.train, batch_size, options.placement);
        let steps_per_epoch = columns.rows().div_ceil(batch_size);
        let training = Training::new(&model, &config.train, steps_per_epoch);
        let purpose = Purpose::Training(&training);
        let choices = match choices.filter(|choices| choices.are_for(gpu.report())) {
            Some(choices) => choices,
            None => {
                let (level, problems) = (options.tune, model.problems());
                if !tune::is_known(gpu, level, batch_size, &problems) {
                    // Before trials of what cannot be trained.
                    let plain = Arc::new(Choices::new(gpu.report()));
                    recorded(&model, &columns, purpose, batch_size, gpu.report(), &plain)?;
                }
                tune::tune(gpu, level, batch_size, &problems, None, |_, _, _| ())?
            }
        };
        let choices = Arc::new(choices);
        model.set_choices(&choices);
        let table = (columns, &data.train);
        let batches = Batches::new(gpu, &model, table, purpose, batch_size, &choices)?;
        let columns = batches.columns();
        training.begin(gpu);
        let shuffle = columns.window().is_none().then(|| {
            let mut shuffle = Recording::new(gpu.report());
            let state = &training.running.state;
            shuffle::permutation(&mut shuffle, "epoch", seed, state, &columns.order);
            shuffle.compile(gpu)
        });
        let noise = (Noise::Seeded(seed), options.placement);
        let evaluator = data
            .test
            .as_ref()
            .map(|test| Evaluator::for_model(gpu, &model, test, batch_size, noise, &choices));
        let evaluator = evaluator.transpose().map_err(|error| match error {
            Error::Column { column, message } => {
                Error::Column { column, message: format!("{message} (in the test split)") }
            }
            other => other,
        })?;
        let checksums = [columns.checksum(&data.train)?, test_checksum(&evaluator, data)?];
        gpu.check()?;
        let residence = columns.residence(&data.train);
        let state = State { images: columns.rows() as u32, ..State::default() };
        let totals = Totals {
            state,
            sums: vec![[0.0; 2]; batches.terms().len()],
            units: vec![0.0; training.running.units.len()],
        };
        Ok(Self {
            gpu: gpu.clone(),
            config: config.clone(),
            options,
            model,
            choices,
            training,
            totals: RefCell::new(totals),
            shuffle,
            batches,
            evaluator,
            checksums,
            before: None,
            residence,
        })
    }

    /// The model, as trained so far.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model, as trained so far, without the trainer.
    pub fn into_model(self) -> M {
        self.model
    }

    /// Prepares to evaluate the model on all rows of `table`, by batches as in training.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there are no rows, [`Error::TooLarge`] when they do not fit the adapter, and
    /// what [`Model::record`] fails with.
    pub fn evaluator(&self, table: &Table, noise: Noise) -> Result<Evaluator> {
        let batch_size = self.config.train.batch_size;
        let noise = (noise, self.options.placement);
        Evaluator::for_model(&self.gpu, &self.model, table, batch_size, noise, &self.choices)
    }

    /// How a run was trained before it was resumed, with its learning rate then; nothing for a new one.
    pub fn before(&self) -> Option<&TrainConfig> {
        self.before.as_ref()
    }

    /// Counters after the last epoch or part of one.
    pub fn state(&self) -> State {
        self.totals.borrow().state
    }

    /// Labels of the dispatches of a full step, in order.
    pub fn dispatches(&self) -> impl Iterator<Item = &str> {
        self.batches.plan(0).labels()
    }

    /// The plan of a full step and what it adds up in, for timing it: what runs it must see that the
    /// state's row leaves a whole batch.
    #[doc(hidden)]
    pub fn full_step(&self) -> (&Plan, &Running) {
        (self.batches.plan(0), &self.training.running)
    }

    /// Where the rows of the training split lie, and the bytes that they take.
    pub fn residence(&self) -> (Residence, u64) {
        self.residence.clone()
    }

    /// The number of steps after which it stops, whatever the epochs.
    pub fn max_steps(&self) -> Option<u32> {
        self.options.max_steps
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches.count()
    }

    /// Learning rate of the next step; with several phases, the last one's.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate_at(self.state().step)
    }

    pub(super) fn learning_rate_at(&self, step: u32) -> f64 {
        let phases = self.training.phases();
        phases.last().expect("a step has a phase").optimizer.learning_rate.at(step)
    }
}

/// A checksum of the test split's columns that are evaluated on; 0 without one.
fn test_checksum(evaluator: &Option<Evaluator>, data: &Dataset) -> Result<u32> {
    let evaluated = evaluator.as_ref().zip(data.test.as_ref());
    evaluated.map_or(Ok(0), |(evaluator, test)| evaluator.checksum(test))
}

fn check_batch(batch_size: usize, data: &Dataset) -> Result<()> {
    let images = data.train.len();
    if batch_size <= images {
        return Ok(());
    }
    Err(Error::Batch { batch_size, dataset: data.name.clone(), images })
}

/// Fails unless the parameters of `model` were written on `gpu`: they would be zero.
fn check_weights(gpu: &Gpu, model: &dyn Model) -> Result<()> {
    let parameters = &model.weights().parameters;
    if parameters.layout().bytes() == 0 || gpu.holds(parameters.arena()) {
        return Ok(());
    }
    let message =
        "the model's parameters were never written on this adapter; initialise or load them";
    Err(Error::Input(message.into()))
}
