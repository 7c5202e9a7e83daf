//! The plans of a model's step for all rows of a table.

use std::sync::Arc;

use super::Losses;
use crate::error::{Load, Result};
use crate::gpu::{AdapterReport, Choices, Gpu, Plan, Recording};
use crate::model::{self, Columns, Model, Purpose, TermSpec, Totals};

/// Plans for full batches and for a smaller last one.
pub(super) struct Batches {
    /// Each with how often it runs in an epoch.
    plans: Vec<(Plan, usize)>,
    /// The terms of the losses, in the order of their sums.
    terms: Vec<TermSpec>,
}

impl Batches {
    /// Records the step of `model` for batches of `batch_size` rows of `columns`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TooLarge`] when the data or a batch do not fit the adapter, and what the recording
    /// fails with.
    pub fn new(
        gpu: &Gpu,
        model: &dyn Model,
        columns: &Columns,
        purpose: Purpose,
        batch_size: usize,
        choices: &Arc<Choices>,
    ) -> Result<Self> {
        let (count, rows) = (columns.rows(), batch_size.min(columns.rows()));
        let parts = [(rows, count / rows), (count % rows, 1)];
        let (mut plans, mut terms) = (Vec::new(), Vec::new());
        for (rows, times) in parts.into_iter().filter(|(rows, _)| *rows > 0) {
            let recorded = recorded(model, columns, purpose, rows, gpu.report(), choices)?;
            terms = recorded.1;
            plans.push((recorded.0.compile(gpu), times));
        }
        Ok(Self { plans, terms })
    }

    /// Batches in an epoch.
    pub fn count(&self) -> usize {
        self.plans.iter().map(|(_, times)| times).sum()
    }

    /// The plan for batch `i` of an epoch.
    pub fn plan(&self, i: usize) -> &Plan {
        let full = self.plans[0].1;
        &self.plans[usize::from(i >= full)].0
    }

    /// The terms of the losses.
    pub fn terms(&self) -> &[TermSpec] {
        &self.terms
    }

    /// The losses that `totals` are, with each mean multiplied by `factor`.
    pub fn losses(&self, totals: &Totals, factor: f64) -> Losses {
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v) * factor).collect();
        let [sums, units]: [Vec<f64>; 2] = [&totals.sums[..], &totals.units].map(wide);
        Losses::new(&self.terms, &sums, &units)
    }
}

/// Records the step of `model` on `rows` of `columns`, and fails unless it fits the adapter.
pub(super) fn recorded(
    model: &dyn Model,
    columns: &Columns,
    purpose: Purpose,
    rows: usize,
    adapter: &AdapterReport,
    choices: &Arc<Choices>,
) -> Result<(Recording, Vec<TermSpec>)> {
    let mut recording = Recording::with_choices(adapter, choices);
    let terms = model::record(model, &mut recording, columns, purpose, rows)?;
    columns.check_fits(adapter)?;
    recording.check_fits(match purpose {
        Purpose::Training(_) => Load::Step,
        Purpose::Evaluation(..) => Load::Batch,
    })?;
    Ok((recording, terms))
}
