//! An epoch of training, in which nothing is uploaded and nothing is read back.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{EpochReport, Evaluator, Trainer};
use crate::error::Result;
use crate::model::Model;
use crate::ops::State;
use crate::ops::shuffle::Permutation;

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

impl<M: Model> Trainer<M> {
    /// Trains to the end of the current epoch and evaluates on the test split, if there is one;
    /// nothing once training is finished. Stops early, with a report of the images used so far, at the
    /// step that the options name, or when `progress`, which is called every few steps, breaks; in the
    /// latter case it does not evaluate.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn epoch(
        &self,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<EpochReport>> {
        if self.is_finished() {
            return Ok(None);
        }
        let first_row = self.state().row;
        self.training.running.write(&self.gpu, &self.totals.borrow());
        self.gpu.check()?;
        let begun = Instant::now();
        self.submit_steps(progress)?;
        let mut totals = self.training.running.read(&self.gpu)?;
        totals.sums.truncate(self.batches.terms().len());
        let seconds = begun.elapsed().as_secs_f64();

        let State { epoch, step, row, images, .. } = totals.state;
        // The sums are over all images of an epoch; a part of one has used only `row` of them.
        let train = self.batches.losses(&totals, f64::from(images) / f64::from(row.max(1)));
        let complete = row == images;
        if complete {
            totals.state = State { epoch: epoch + 1, row: 0, ..totals.state };
            totals.sums.fill(0.0);
            totals.units.fill(0.0);
        }
        self.totals.replace(totals);
        // An interrupted program is to end soon.
        let evaluator = self.evaluator.as_ref().filter(|_| complete || self.is_finished());
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
            test: evaluator.map(Evaluator::run).transpose()?,
            figures: weights.chain(self.model.figures(&self.gpu)?).collect(),
            learning_rate: self.learning_rate_at(last),
            images_per_second: f64::from(row - first_row) / seconds,
            complete,
        }))
    }

    /// Submits the rest of the epoch; the shuffle goes with the first steps.
    fn submit_steps(&self, mut progress: impl FnMut(Progress) -> ControlFlow<()>) -> Result<()> {
        let (steps, state) = (self.steps_per_epoch(), self.state());
        let first = (state.row as usize).div_ceil(self.config.train.batch_size);
        let allowed = self.options.max_steps.map(|max| (max - state.step) as usize);
        let last = allowed.map_or(steps, |allowed| steps.min(first + allowed));
        let epoch = state.epoch + 1;

        let permutation =
            Permutation::new(self.config.train.seed, state.epoch, state.images as usize);
        self.batches.submit(
            &self.gpu,
            first..last,
            self.options.steps_per_submission,
            |pass| self.shuffle.iter().for_each(|shuffle| shuffle.encode(pass)),
            |position| permutation.at(position),
            |step| progress(Progress { epoch, step, steps }),
        )
    }
}
