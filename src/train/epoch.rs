//! An epoch of training; every few seconds the loss is looked at.

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use super::{EpochReport, Losses, Trainer};
use crate::error::{Error, Result};
use crate::model::{Model, Totals};
use crate::ops::State;
use crate::ops::shuffle::Permutation;

/// Time from one look at the loss to the next within an epoch: rare enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Where training stands, for a progress bar.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The current epoch, counted from 1.
    pub epoch: u32,
    /// Steps of this epoch that are done.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// The mean loss of this epoch when it was last looked at, in nats per image.
    pub loss: Option<f64>,
}

impl<M: Model> Trainer<M> {
    /// Whether every epoch or step asked for is done.
    pub fn is_finished(&self) -> bool {
        let State { epoch, step, .. } = self.state();
        epoch >= self.config.train.epochs || self.options.max_steps.is_some_and(|max| step >= max)
    }

    /// The remaining epochs, each trained as the iterator reaches it; ends after an error.
    ///
    /// ```no_run
    /// # use vae_gpu::{Dataset, Gpu, Preset, TrainOptions, Trainer};
    /// # fn main() -> vae_gpu::Result<()> {
    /// # let (gpu, data) = (Gpu::new()?, Dataset::digits());
    /// let trainer = Trainer::new(&gpu, &Preset::MLP.config(), &data, TrainOptions::default())?;
    /// for report in trainer.epochs() {
    ///     println!("{}", report?);
    ///     trainer.model().save("model.safetensors")?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn epochs(&self) -> impl Iterator<Item = Result<EpochReport>> {
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
    /// nothing once training is finished. Stops early, with a report of the images used so far, at the
    /// step that the options name, or when `progress`, which is called every few steps and batches of the
    /// evaluation, breaks. An epoch whose evaluation is stopped is not complete: the next call makes up
    /// for it.
    ///
    /// # Errors
    ///
    /// [`Error::Diverged`] when a loss is no finite number, which is looked at every few seconds,
    /// [`Error::Gpu`] if the adapter fails or does not do what it is given.
    pub fn epoch(
        &self,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochReport>> {
        if self.is_finished() {
            return Ok(None);
        }
        let before = self.state();
        self.training.running.write(&self.gpu, &self.totals.borrow());
        self.gpu.check()?;
        let begun = Instant::now();
        let submitted = self.submit_steps(&mut progress)?;
        let (mut totals, train) = self.look(before, submitted)?;
        totals.sums.truncate(self.batches.terms().len());
        let seconds = begun.elapsed().as_secs_f64();

        let State { epoch, step, row, images, .. } = totals.state;
        self.totals.replace(totals.clone());
        let (all, steps) = (row == images, self.steps_per_epoch());
        let evaluator = self.evaluator.as_ref().filter(|_| all || self.is_finished());
        let loss = Some(train.loss);
        let proceed = || progress(Progress { epoch: epoch + 1, step: steps, steps, loss });
        let test = match evaluator {
            Some(evaluator) => evaluator.run_while(proceed).map_err(|e| self.diverged(e))?,
            None => None,
        };
        let complete = all && test.is_some() == self.evaluator.is_some();
        if complete {
            totals.state = State { epoch: epoch + 1, row: 0, ..totals.state };
            totals.sums.fill([0.0; 2]);
            totals.units.fill(0.0);
            self.totals.replace(totals);
        }
        let last = step.saturating_sub(1);
        let weights = self.batches.terms().iter().filter_map(|term| {
            let objective = term.objective?;
            Some((format!("{}_weight", term.name), objective.weight_at(last)))
        });
        Ok(Some(EpochReport {
            epoch: epoch + 1,
            step,
            seconds,
            train,
            test,
            figures: weights.chain(self.model.figures(&self.gpu)?).collect(),
            learning_rate: self.learning_rate_at(last),
            images_per_second: f64::from(row - before.row) / seconds,
            complete,
        }))
    }

    /// Reads the counters and the losses of the epoch, of which `submitted` was submitted in the state
    /// `from`, and fails unless the adapter has counted that and the loss is finite.
    fn look(&self, from: State, submitted: Range<usize>) -> Result<(Totals, Losses)> {
        let totals = self.training.running.read(&self.gpu)?;
        self.batches.check_counted(&totals, from, submitted)?;
        let State { epoch, step, row, images } = totals.state;
        // The sums are over all images of an epoch; a part of one has used only `row` of them.
        let losses = self.batches.losses(&totals, f64::from(images) / f64::from(row.max(1)));
        if !losses.is_finite() {
            return Err(Error::Diverged { what: "the loss".into(), epoch: epoch + 1, step });
        }
        Ok((totals, losses))
    }

    /// The error that what is not finite is after the steps so far.
    pub(super) fn diverged(&self, error: Error) -> Error {
        let State { epoch, step, row, .. } = self.state();
        match error {
            Error::NotFinite { what } => {
                Error::Diverged { what, epoch: epoch + u32::from(row > 0), step }
            }
            other => other,
        }
    }

    /// Submits the rest of the epoch, and returns which of its steps that is; the shuffle goes with the
    /// first of them.
    fn submit_steps(
        &self,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Range<usize>> {
        let (steps, state) = (self.steps_per_epoch(), self.state());
        let first = (state.row as usize).div_ceil(self.config.train.batch_size);
        let allowed = self.options.max_steps.map(|max| (max - state.step) as usize);
        let last = allowed.map_or(steps, |allowed| steps.min(first + allowed));
        let epoch = state.epoch + 1;

        let permutation =
            Permutation::new(self.config.train.seed, state.epoch, state.images as usize);
        let every = self.options.look_every.unwrap_or(LOOK_EVERY);
        let (mut looked, mut loss) = (Instant::now(), None);
        let submitted = self.batches.submit(
            &self.gpu,
            first..last,
            self.options.steps_per_submission,
            |pass| self.shuffle.iter().for_each(|shuffle| shuffle.encode(pass)),
            |position| permutation.at(position),
            |step, submitted| {
                // The end of the epoch is looked at in any case.
                if submitted < last && looked.elapsed() >= every {
                    loss = Some(self.look(state, first..submitted)?.1.loss);
                    looked = Instant::now();
                }
                Ok(progress(Progress { epoch, step, steps, loss }))
            },
        )?;
        Ok(first..submitted)
    }
}
