//! Losses over a whole split.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Batches, Losses};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu};
use crate::model::{Columns, Model, Noise, Placement, Purpose, Running, Totals, Vae};
use crate::ops::State;

/// A split on the adapter and the plans that compute a model's losses on it.
pub struct Evaluator {
    gpu: Gpu,
    running: Running,
    batches: Batches,
}

impl Evaluator {
    /// Prepares to evaluate `vae` on the images of `table`, `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there are no images or `batch_size` is 0, [`Error::Shape`] when they are not
    /// of the model's shape, [`Error::Column`] when a conditional model does not know their classes,
    /// [`Error::TooLarge`] when they do not fit the adapter.
    pub fn new(vae: &Vae, table: &Table, batch_size: usize, noise: Noise) -> Result<Self> {
        let noise = (noise, Placement::Auto);
        let ordered = vae.network().condition().map(|condition| condition.ordered(table));
        let ordered = ordered.transpose()?;
        let table = ordered.as_deref().unwrap_or(table);
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
        (noise, placement): (Noise, Placement),
        choices: &Arc<Choices>,
    ) -> Result<Self> {
        if table.is_empty() || batch_size == 0 {
            return Err(Error::Input("an evaluation takes at least one row at a time".into()));
        }
        let running = Running::new(model.units());
        let columns = Columns::of(gpu, table, batch_size, placement);
        let purpose = Purpose::Evaluation(noise, &running);
        let batches = Batches::new(gpu, model, (columns, table), purpose, batch_size, choices)?;
        Ok(Self { gpu: gpu.clone(), running, batches })
    }

    /// A checksum of the columns of `table`, its own, that are evaluated on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when they lie in a file that cannot be read.
    pub(super) fn checksum(&self, table: &Table) -> Result<u32> {
        self.batches.columns().checksum(table)
    }

    /// The mean losses of the model as it is now, with one read-back.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] when the loss is no finite number, [`Error::Gpu`] if the adapter fails.
    pub fn run(&self) -> Result<Losses> {
        let losses = self.run_while(|| ControlFlow::Continue(()))?;
        Ok(losses.expect("nothing stops it"))
    }

    /// The same; nothing if `proceed`, which is called every few batches, breaks.
    pub(super) fn run_while(
        &self,
        mut proceed: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Option<Losses>> {
        let state = State { images: self.batches.columns().rows() as u32, ..State::default() };
        self.running.write(&self.gpu, &Totals { state, ..Totals::default() });
        let (all, mut last) = (0..self.batches.count(), ControlFlow::Continue(()));
        let progress = |_, _| {
            last = proceed();
            Ok(last)
        };
        self.batches.submit(&self.gpu, all.clone(), None, |_| (), |position| position, progress)?;
        if last.is_break() {
            return Ok(None);
        }
        let totals = self.running.read(&self.gpu)?;
        self.batches.check_counted(&totals, state, all)?;
        let losses = self.batches.losses(&totals, 1.0);
        match losses.is_finite() {
            true => Ok(Some(losses)),
            false => Err(Error::NotFinite { what: "the loss".into() }),
        }
    }
}
