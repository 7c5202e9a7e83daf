//! The training loop. Inside an epoch nothing is uploaded and nothing is read back.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::split::{Split, batches};
use super::{EpochReport, Evaluator, Losses, Noise, TrainStep};
use crate::data::{Dataset, Table};
use crate::error::{Error, Load, Result};
use crate::gpu::{Choices, Gpu, Plan, Recording, Tensor};
use crate::model::{Config, TrainConfig, Vae};
use crate::ops::tune::Tune;
use crate::ops::{State, latent, shuffle};

/// What may be set for one call of training, and is not part of a [`Config`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TrainOptions {
    /// Stop once this many steps have been taken since the beginning.
    pub max_steps: Option<u32>,
    /// Steps in a submission; without it, as many as take about a tenth of a second.
    pub steps_per_submission: Option<usize>,
    /// How much to try for the fastest kernels. Equal seeds give equal bits only with equal kernels.
    pub tune: Tune,
}

/// Where training stands, for a progress bar.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The current epoch, counted from 1.
    pub epoch: u32,
    /// Steps of this epoch that are done.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
}

/// Trains a [`Vae`] on the training split of a dataset.
pub struct Trainer {
    pub(super) gpu: Gpu,
    config: Config,
    options: TrainOptions,
    vae: Vae,
    pub(super) step: TrainStep,
    pub(super) host: State,
    /// What [`crate::model::Running::units`] holds.
    pub(super) units: Vec<f32>,
    shuffle: Plan,
    /// Plans for a full batch and for the last, smaller one, with how often each runs in an epoch.
    steps: Vec<(Plan, usize)>,
    evaluator: Option<Evaluator>,
    /// Of the training images' pixels.
    pub(super) checksum: u32,
    /// Steps in the next submission.
    submission: usize,
}

impl Trainer {
    /// Puts a new model, initialised from the configuration's seed, and the dataset on the adapter.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] or [`Error::Layer`] when the configuration cannot be, [`Error::Batch`] when
    /// the batch is larger than the data, [`Error::Input`] when no column of it holds images,
    /// [`Error::TooLarge`] when something does not fit the adapter.
    pub fn new(gpu: &Gpu, config: &Config, data: &Dataset, options: TrainOptions) -> Result<Self> {
        Self::with_choices(gpu, config, data, options, None)
    }

    /// As [`Trainer::new`], with the kernels that `choices` name if they were chosen on this adapter.
    pub(super) fn with_choices(
        gpu: &Gpu,
        config: &Config,
        data: &Dataset,
        options: TrainOptions,
        choices: Option<Choices>,
    ) -> Result<Self> {
        config.check()?;
        let TrainConfig { batch_size, seed, .. } = config.train;
        let train = data.train.images()?;
        let images = train.len();
        if batch_size > images {
            return Err(Error::Batch { batch_size, dataset: data.name.clone(), images });
        }
        let mut vae = Vae::new(gpu, &config.model, data.shape()?, seed)?;
        let step = TrainStep::new(vae.network(), &config.train, images.div_ceil(batch_size));
        let split = Split::new(images, train.shape.pixels());
        split.check_fits(gpu.report())?;
        let record = |vae: &Vae, rows| {
            let step = step.recording(vae.network(), &split, rows, gpu.report(), vae.choices());
            step.check_fits(Load::Step)?;
            Ok(step)
        };
        match choices.filter(|choices| choices.are_for(gpu.report())) {
            Some(choices) => vae.set_choices(choices),
            None => {
                if !vae.is_tuned(options.tune, batch_size) {
                    // Before trials of what cannot be trained.
                    record(&vae, batch_size)?;
                }
                vae.tune(options.tune, batch_size, |_, _, _| ())?;
            }
        }
        let steps = batches(images, batch_size, |rows| Ok(record(&vae, rows)?.compile(gpu)))?;
        step.begin(gpu);
        split.upload(gpu, train)?;
        let mut shuffle = Recording::new(gpu.report());
        shuffle::permutation(&mut shuffle, "epoch", seed, &step.running.state, &split.order);
        let evaluate =
            |test: &Table| Evaluator::new(&vae, test.images()?, batch_size, Noise::Seeded(seed));
        let evaluator = data.test.as_ref().map(evaluate).transpose()?;
        gpu.check()?;
        let host = State { images: images as u32, ..State::default() };
        Ok(Self {
            gpu: gpu.clone(),
            config: config.clone(),
            options,
            vae,
            step,
            host,
            units: vec![0.0; latent::STATISTICS * config.model.latent],
            shuffle: shuffle.compile(gpu),
            steps,
            evaluator,
            checksum: crc32fast::hash(&train.pixels),
            submission: 1,
        })
    }

    /// The model, as trained so far.
    pub fn model(&self) -> &Vae {
        &self.vae
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Counters after the last epoch or part of one.
    pub fn state(&self) -> &State {
        &self.host
    }

    /// Labels of the dispatches of a full step, in order.
    pub fn dispatches(&self) -> impl Iterator<Item = &str> {
        self.steps[0].0.labels()
    }

    /// The plan of a full step and the state it works on, for timing it: what runs it must see that
    /// the state's row leaves a whole batch.
    #[doc(hidden)]
    pub fn full_step(&self) -> (&Plan, &Tensor) {
        (&self.steps[0].0, &self.step.running.state)
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps.iter().map(|(_, times)| times).sum()
    }

    /// Learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.step.optimizer.learning_rate.at(self.host.step)
    }

    /// Whether every epoch or step asked for is done.
    pub fn is_finished(&self) -> bool {
        self.host.epoch >= self.config.train.epochs
            || self.options.max_steps.is_some_and(|max| self.host.step >= max)
    }

    /// The remaining epochs, each trained as the iterator reaches it; ends after an error.
    pub fn epochs(&mut self) -> impl Iterator<Item = Result<EpochReport>> {
        let mut failed = false;
        std::iter::from_fn(move || {
            // A failed adapter does not recover.
            let next = (!failed).then(|| self.epoch(|_| ControlFlow::Continue(())).transpose());
            let next = next.flatten();
            failed = matches!(next, Some(Err(_)));
            next
        })
    }

    /// Trains to the end of the current epoch and evaluates on the test split, if there is one;
    /// nothing once training is finished. Stops early, with a report of the images used so far,
    /// at the step that the options name, or when `progress`, which is called every few steps,
    /// breaks; then it does not evaluate.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] if the adapter fails.
    pub fn epoch(
        &mut self,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochReport>> {
        if self.is_finished() {
            return Ok(None);
        }
        let first_row = self.host.row;
        self.step.running.write(&self.gpu, &self.host, &self.units);
        self.gpu.check()?;
        let begun = Instant::now();
        self.submit_steps(progress)?;
        (self.host, self.units) = self.step.running.read(&self.gpu)?;
        let seconds = begun.elapsed().as_secs_f64();

        let State { epoch, step, row, images, recon, .. } = self.host;
        // The sums are over all images of an epoch; a part of one has used only `row` of them.
        let used = f64::from(images) / f64::from(row.max(1));
        let units: Vec<f64> = self.units.iter().map(|unit| f64::from(*unit) * used).collect();
        let train = Losses::new(&self.config.model, f64::from(recon) * used, &units);
        let complete = row == images;
        if complete {
            self.host = State { epoch: epoch + 1, row: 0, recon: 0.0, ..self.host };
            self.units.fill(0.0);
        }
        // Who interrupts wants to go.
        let evaluator = self.evaluator.as_ref().filter(|_| complete || self.is_finished());
        let validation = evaluator.map(Evaluator::run).transpose()?;
        let seen = validation.as_ref().unwrap_or(&train);
        let (unit_kl, active_units) = (seen.unit_kl.clone(), seen.active_units);
        let kl_weight = self.step.divergence.weight_at(step.saturating_sub(1));
        Ok(Some(EpochReport {
            epoch: epoch + 1,
            step,
            seconds,
            train_loss: train.loss,
            train_recon: train.recon,
            train_kl: train.kl,
            val_loss: validation.as_ref().map(|v| v.loss),
            val_recon: validation.as_ref().map(|v| v.recon),
            val_kl: validation.as_ref().map(|v| v.kl),
            unit_kl,
            active_units,
            kl_weight: if self.config.model.variational { kl_weight } else { 0.0 },
            scale: self.vae.scale()?,
            learning_rate: self.step.optimizer.learning_rate.at(step.saturating_sub(1)),
            images_per_second: f64::from(row - first_row) / seconds,
            complete,
        }))
    }

    /// Submits the rest of the epoch, a few steps at a time and at most two submissions ahead of
    /// the adapter; the shuffle goes with the first.
    fn submit_steps(
        &mut self,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let steps = self.steps_per_epoch();
        let first = (self.host.row as usize).div_ceil(self.config.train.batch_size);
        let allowed = self.options.max_steps.map(|max| (max - self.host.step) as usize);
        let last = allowed.map_or(steps, |allowed| steps.min(first + allowed));
        let epoch = self.host.epoch + 1;

        let mut next = first;
        let mut in_flight = VecDeque::new();
        let mut finished_at = Instant::now();
        while next < last || !in_flight.is_empty() {
            if next < last {
                let size = self.options.steps_per_submission.unwrap_or(self.submission);
                let end = last.min(next + size.max(1));
                let submission = self.gpu.submit(|pass| {
                    if next == first {
                        self.shuffle.encode(pass);
                    }
                    (next..end).for_each(|step| self.plan(step).encode(pass));
                });
                in_flight.push_back((submission, end, end - next));
                next = end;
            }
            if in_flight.len() < 2 && next < last {
                continue;
            }
            let Some((submission, step, count)) = in_flight.pop_front() else { break };
            self.gpu.wait(submission)?;
            let now = Instant::now();
            self.submission = next_size(self.submission, (now - finished_at) / count as u32);
            finished_at = now;
            if progress(Progress { epoch, step, steps }).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The plan for step `step` of an epoch.
    fn plan(&self, step: usize) -> &Plan {
        let full = self.steps[0].1;
        &self.steps[usize::from(step >= full)].0
    }
}

/// Steps for the next submission: about a tenth of a second, so that a bar moves, Ctrl-C is quick
/// and no watchdog bites, and growing at most fourfold at a time.
fn next_size(size: usize, step: Duration) -> usize {
    let wanted = Duration::from_millis(100).as_nanos() / step.as_nanos().max(1);
    (wanted as usize).clamp(1, (4 * size).min(1024))
}
