//! Losses over a whole split.

use std::sync::Arc;

use super::{Batches, Losses};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu};
use crate::model::{Columns, Model, Noise, Purpose, Running, Totals, Vae};
use crate::ops::State;

/// Batches in a submission: enough to hide its cost, few enough for a slow adapter's watchdog.
const SUBMISSION: usize = 16;

/// A split on the adapter and the plans that compute a model's losses on it.
pub struct Evaluator {
    gpu: Gpu,
    columns: Columns,
    running: Running,
    batches: Batches,
}

impl Evaluator {
    /// Prepares to evaluate `vae` on the images of `table`, `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there are no images or `batch_size` is 0, [`Error::Shape`] when they are not
    /// of the model's shape, [`Error::TooLarge`] when they do not fit the adapter.
    pub fn new(vae: &Vae, table: &Table, batch_size: usize, noise: Noise) -> Result<Self> {
        Self::for_model(vae.gpu(), vae, table, batch_size, noise, vae.choices())
    }

    /// Prepares to evaluate `model` on all rows of `table`, `batch_size` at a time, with kernels in
    /// the variants of `choices`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there are no rows or `batch_size` is 0, [`Error::TooLarge`] when they do
    /// not fit the adapter, and what the model's recording fails with.
    pub(super) fn for_model(
        gpu: &Gpu,
        model: &dyn Model,
        table: &Table,
        batch_size: usize,
        noise: Noise,
        choices: &Arc<Choices>,
    ) -> Result<Self> {
        if table.is_empty() || batch_size == 0 {
            return Err(Error::Input("an evaluation takes at least one row at a time".into()));
        }
        let (columns, running) = (Columns::of(table), Running::new(model.units()));
        let purpose = Purpose::Evaluation(noise, &running);
        let batches = Batches::new(gpu, model, &columns, purpose, batch_size, choices)?;
        columns.upload(gpu, table)?;
        Ok(Self { gpu: gpu.clone(), columns, running, batches })
    }

    /// The mean losses of the model as it is now, with one read-back.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn run(&self) -> Result<Losses> {
        let state = State { images: self.columns.rows() as u32, ..State::default() };
        self.running.write(&self.gpu, &Totals { state, ..Totals::default() });
        let count = self.batches.count();
        for first in (0..count).step_by(SUBMISSION) {
            let last = count.min(first + SUBMISSION);
            self.gpu.submit(|pass| (first..last).for_each(|i| self.batches.plan(i).encode(pass)));
        }
        let totals = self.running.read(&self.gpu)?;
        Ok(self.batches.losses(&totals, 1.0))
    }
}
