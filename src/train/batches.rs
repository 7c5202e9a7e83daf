//! The plans of a model's step for all rows of a table, and their submission.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Losses;
use crate::data::Table;
use crate::error::{Error, Load, Result};
use crate::gpu::{AdapterReport, Choices, Gpu, Plan, Recording};
use crate::model::{self, Columns, Model, Purpose, TermSpec, Totals};
use crate::ops::State;

/// Plans for full batches and for a smaller last one.
pub(super) struct Batches {
    /// Each with how often it runs in an epoch.
    plans: Vec<(Plan, usize)>,
    /// The terms of the losses, in the order of their sums.
    terms: Vec<TermSpec>,
    /// Rows of a full batch.
    rows: usize,
    columns: Columns,
    /// The rows, where they are sent as steps take them.
    streamed: Option<Table>,
    /// Steps in the next submission.
    size: Cell<usize>,
}

impl Batches {
    /// Records the step of `model` for batches of `batch_size` rows of `table`, for which `columns` is a
    /// place, and uploads what is to stay on the adapter.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TooLarge`] when the data or a batch do not fit the adapter, and what the recording
    /// and the upload fail with.
    pub fn new(
        gpu: &Gpu,
        model: &dyn Model,
        (columns, table): (Columns, &Table),
        purpose: Purpose,
        batch_size: usize,
        choices: &Arc<Choices>,
    ) -> Result<Self> {
        let (count, rows) = (columns.rows(), batch_size.min(columns.rows()));
        let parts = [(rows, count / rows), (count % rows, 1)];
        let (mut plans, mut terms) = (Vec::new(), Vec::new());
        for (rows, times) in parts.into_iter().filter(|(rows, _)| *rows > 0) {
            let recorded = recorded(model, &columns, purpose, rows, gpu.report(), choices)?;
            terms = recorded.1;
            plans.push((recorded.0.compile(gpu), times));
        }
        columns.upload(gpu, table)?;
        let streamed = columns.window().map(|_| table.clone());
        Ok(Self { plans, terms, rows, columns, streamed, size: Cell::new(1) })
    }

    /// The data on the adapter.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Submits the batches in `batches` of an epoch, a few at a time and at most two submissions ahead of
    /// the adapter; what `first` encodes goes with the first of them. Streamed rows, which the epoch takes
    /// in `order`, are sent before each submission, while the adapter is busy with the one before it. Calls
    /// `progress` with the batches that are done, and those that are submitted, which may break.
    /// Submissions have `fixed` steps, if that is given, and otherwise as many as take about a tenth of a
    /// second. Returns the batches that were submitted.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails, [`crate::Error::Io`] if the file in which rows lie
    /// cannot be read, and what `progress` fails with.
    pub fn submit(
        &self,
        gpu: &Gpu,
        batches: Range<usize>,
        fixed: Option<usize>,
        first: impl Fn(&mut wgpu::ComputePass),
        order: impl Fn(u32) -> u32,
        mut progress: impl FnMut(usize, usize) -> Result<ControlFlow<()>>,
    ) -> Result<usize> {
        let most = self.columns.window().map_or(usize::MAX, |window| (window / self.rows).max(1));
        let mut next = batches.start;
        let mut in_flight = VecDeque::new();
        let mut finished_at = Instant::now();
        while next < batches.end || !in_flight.is_empty() {
            if next < batches.end {
                let size = fixed.unwrap_or(self.size.get()).clamp(1, most);
                let end = batches.end.min(next + size);
                if let Some(table) = &self.streamed {
                    let positions = next * self.rows..self.columns.rows().min(end * self.rows);
                    self.columns.feed(gpu, table, positions, &order)?;
                }
                let submission = gpu.submit(|pass| {
                    if next == batches.start {
                        first(pass);
                    }
                    (next..end).for_each(|batch| self.plan(batch).encode(pass));
                });
                in_flight.push_back((submission, end, end - next));
                next = end;
            }
            if in_flight.len() < 2 && next < batches.end {
                continue;
            }
            let Some((submission, done, count)) = in_flight.pop_front() else { break };
            gpu.wait(submission)?;
            let now = Instant::now();
            let each = (now - finished_at) / count as u32;
            self.size.set(next_size(self.size.get(), each));
            finished_at = now;
            if progress(done, next)?.is_break() {
                break;
            }
        }
        Ok(next)
    }

    /// Fails unless the adapter, which was given the batches in `batches` in a state `from`, has counted
    /// them in `totals`: one that drops what it is given would otherwise be waited for for ever.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`].
    pub fn check_counted(&self, totals: &Totals, from: State, batches: Range<usize>) -> Result<()> {
        let row = self.columns.rows().min(batches.end * self.rows) as u32;
        let step = from.step.wrapping_add(batches.len() as u32);
        check_counted(totals.state, State { step, row, ..from })
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

    /// The losses that `totals` are, with each sum multiplied by `factor`.
    pub fn losses(&self, totals: &Totals, factor: f64) -> Losses {
        let by_image =
            |values: Vec<f64>| values.into_iter().map(|v| v * factor).collect::<Vec<_>>();
        let [unit_kl, variances] = totals.latent().map(by_image);
        Losses::new(&self.terms, &by_image(totals.terms()), &unit_kl, &variances)
    }
}

/// Fails unless the counters that were read back are those that are due.
fn check_counted(found: State, due: State) -> Result<()> {
    if found == due {
        return Ok(());
    }
    Err(Error::Gpu(format!(
        "the adapter does not do what it is given: after step {} its counter stands at {}; choose another \
         adapter, or update its driver",
        due.step, found.step
    )))
}

/// Steps for the next submission: about a tenth of a second, so that a bar moves, Ctrl-C is quick
/// and no watchdog bites, and growing at most fourfold at a time.
fn next_size(size: usize, step: Duration) -> usize {
    let wanted = Duration::from_millis(100).as_nanos() / step.as_nanos().max(1);
    (wanted as usize).clamp(1, (4 * size).min(1024))
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

#[cfg(test)]
mod tests {
    use super::{State, check_counted};

    /// An adapter on which dispatches have no effect leaves the counters as they were written.
    #[test]
    fn counters_that_do_not_move_are_an_error() {
        let before = State { step: 40, epoch: 2, row: 0, images: 300 };
        let due = State { step: 43, row: 300, ..before };
        assert!(check_counted(due, due).is_ok());
        for found in [
            before,
            State::default(),
            State { step: 42, ..due },
            State { row: 200, ..due },
            State { images: 0, ..due },
        ] {
            let message = check_counted(found, due).unwrap_err().to_string();
            let counted = format!("after step 43 its counter stands at {}", found.step);
            assert!(message.contains(&counted), "{message}");
            assert!(message.contains("choose another adapter"), "{message}");
        }
    }
}
