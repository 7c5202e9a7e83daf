//! The microbenchmark suite: every op and every preset's step, against the adapter's own limits.
//!
//! Inputs are random and seeded, results are checked before they are timed, and a time is the
//! median of many samples. A dispatch is timed in a sequence of equal ones, each waiting for the
//! one before it, so that its time includes the launch.

mod batches;
mod clock;
mod conv;
mod fused;
mod limits;
mod loss;
mod maps;
mod matmul;
mod norms;
mod ops;
mod start;
mod steps;

use std::ffi::OsString;

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::Serialize;

use clock::Clock;
pub use clock::Time;
pub use limits::Limits;
pub use start::{Start, first_step};
pub use steps::Step;
use vae_gpu::config::Preset;
use vae_gpu::gpu::{AdapterReport, Gpu, Plan};
use vae_gpu::{Error, Result};

/// Options of [`run`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Part of the names of the operations to measure; see [`selects`] for `None`.
    pub filter: Option<String>,
    /// A program and its arguments that calls [`first_step`] with the preset named by one more
    /// argument and prints a line from its callback; without it, starts are not measured.
    pub program: Vec<OsString>,
}

/// All measurements of [`run`].
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The adapter that was measured.
    pub adapter: AdapterReport,
    /// The adapter's limits.
    pub limits: Limits,
    /// The limit on arithmetic, measured again at the end: if it differs much from the first, there
    /// was other work on the machine, or its clock rate has changed.
    pub arithmetic_flop_per_second_at_end: f64,
    /// Single kernels.
    pub rows: Vec<Row>,
    /// Training steps.
    pub steps: Vec<Step>,
    /// Starts of the program.
    pub starts: Vec<Start>,
}

/// One kernel at one shape.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Shader and entry point, such as `matmul.forward`.
    pub operation: String,
    /// Sizes, such as `128x784x400`: for a product the batch, inputs and outputs.
    pub shape: String,
    /// Name of the variant of the kernel, or of the formula; empty if there is only one.
    pub variant: String,
    /// Additions and multiplications by the definition; 0 for kernels that are limited by memory.
    pub flop: f64,
    /// Bytes that must be read and written, each once.
    pub bytes: f64,
    /// Time of a dispatch; `None` if it was skipped.
    pub time: Option<Time>,
    /// The least time that the adapter's limits allow, divided by the measured time. Above 1 if
    /// data come from a cache, which is faster than the memory whose limit was measured.
    pub share_of_limit: Option<f64>,
    /// Reason why it was not measured, if it was skipped.
    pub skipped: Option<String>,
}

/// A report of [`run`]'s progress.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The operation of this name is about to be measured.
    Begin(&'a str),
    /// The limits were measured.
    Limits(&'a Limits),
    /// A kernel was measured, or skipped.
    Row(&'a Row),
    /// A training step was measured.
    Step(&'a Step),
    /// A start of the program was measured.
    Start(&'a Start),
}

/// The state that the measuring functions share.
struct Suite<'a> {
    gpu: Gpu,
    clock: Clock,
    program: &'a [OsString],
    watch: &'a mut dyn FnMut(Event),
    report: Report,
}

/// A function that measures the operation of the given name.
type Measure = fn(&mut Suite, &str) -> Result<()>;

/// Every kernel that training uses, except those that are timed together with another;
/// [`operations`] has further names.
const KERNELS: &[(&str, Measure)] = &[
    ("matmul.forward", matmul::rows),
    ("matmul.backward_input", matmul::rows),
    ("matmul.backward_weight", matmul::rows),
    ("conv.forward", conv::rows),
    ("conv.backward_input", conv::rows),
    ("conv.backward_weight", conv::rows),
    ("conv_transpose.forward", conv::rows),
    ("conv_transpose.backward_input", conv::rows),
    ("column_sums.parts", conv::column_sums),
    ("sums.parts", conv::sums),
    ("sums_step.parts", conv::sums),
    ("matmul.backward_weight_step", fused::backward_weight_step),
    ("optimizer.step", ops::optimizer),
    ("clip.squares", ops::squares),
    ("clip.factor", ops::factor),
    ("batch_norm.forward", norms::batch_norm),
    ("batch_norm.evaluate", norms::batch_norm),
    ("batch_norm.backward", norms::batch_norm),
    ("gather.batch", ops::gather),
    ("columns.floats", batches::columns),
    ("columns.counts", batches::columns),
    ("columns.one_hot", batches::columns),
    ("ramp.forward", batches::ramp),
    ("repeat.forward", batches::repeat),
    ("repeat.backward", batches::repeat),
    ("concat.forward", batches::concat),
    ("concat.backward", batches::concat),
    ("log_mean_exp.forward", batches::log_mean_exp),
    ("log_mean_exp.backward", batches::log_mean_exp),
    ("log_mean_exp.accumulate", batches::log_mean_exp),
    ("layer_norm.forward", norms::layer_norm),
    ("layer_norm.backward_input", norms::layer_norm),
    ("layer_norm.backward_weight", norms::layer_norm),
    ("latent.forward", ops::latent),
    ("latent.backward", ops::latent),
    ("latent.total", ops::latent),
    ("loss.forward", loss::forward),
    ("loss.backward_scale", loss::backward_scale),
    ("loss.mean", loss::mean),
    ("loss.draw", loss::draw),
    ("noise.normal", ops::noise),
    ("report.accumulate", ops::report),
    ("shuffle.permutation", ops::shuffle),
    ("activate.forward", maps::elements),
    ("activate.backward", maps::elements),
    ("add.forward", maps::elements),
    ("add.backward", maps::elements),
    ("dropout.forward", maps::elements),
    ("dropout.backward", maps::elements),
    ("pool.max_forward", maps::pool),
    ("pool.max_backward", maps::pool),
    ("pool.avg_forward", maps::pool),
    ("pool.avg_backward", maps::pool),
    ("upsample.forward", maps::upsample),
    ("upsample.backward", maps::upsample),
    ("pixel_shuffle.forward", maps::pixel_shuffle),
    ("pixel_shuffle.backward", maps::pixel_shuffle),
    ("reshape.flatten", maps::reshape),
    ("reshape.unflatten", maps::reshape),
];

fn table() -> Vec<(String, Measure)> {
    // The limits are measured in any case.
    let mut all = vec![("limits".to_string(), (|_, _| Ok(())) as Measure)];
    all.extend(KERNELS.iter().map(|(name, measure)| (name.to_string(), *measure)));
    all.extend(
        Preset::ALL.map(|preset| (format!("step.{}", preset.name()), steps::step as Measure)),
    );
    all.push((format!("start.{}", Preset::MLP.name()), start::starts));
    all.push((TUNING.into(), matmul::tuning));
    all
}

/// The comparison of tuning levels, which takes minutes and is measured only if a filter names it.
const TUNING: &str = "tuning";

/// Names of all operations, from which a filter selects.
pub fn operations() -> Vec<String> {
    table().into_iter().map(|(name, _)| name).collect()
}

/// Whether `filter` selects the operation of that name; `None` selects all that do not take
/// minutes.
pub fn selects(filter: Option<&str>, name: &str) -> bool {
    filter.map_or(name != TUNING, |filter| name.contains(filter))
}

/// Measures the operations that `options` select, and reports progress to `watch`.
///
/// # Errors
///
/// [`Error::Gpu`] when the adapter fails or computes something wrong.
pub fn run(gpu: &Gpu, options: &Options, watch: &mut dyn FnMut(Event)) -> Result<Report> {
    watch(Event::Begin("limits"));
    let mut clock = Clock::new(gpu);
    let limits = limits::measure(gpu, &mut clock)?;
    watch(Event::Limits(&limits));
    let report = Report {
        adapter: gpu.report().clone(),
        limits,
        arithmetic_flop_per_second_at_end: 0.0,
        rows: Vec::new(),
        steps: Vec::new(),
        starts: Vec::new(),
    };
    let mut suite = Suite { gpu: gpu.clone(), clock, program: &options.program, watch, report };
    let chosen = |(name, _): &(String, _)| selects(options.filter.as_deref(), name);
    for (name, measure) in table().into_iter().filter(chosen) {
        measure(&mut suite, &name)?;
    }
    suite.report.arithmetic_flop_per_second_at_end = limits::arithmetic(gpu, &suite.clock)?;
    Ok(suite.report)
}

impl Suite<'_> {
    /// Runs `plan`, times it and adds the row; `check` verifies the results before and after.
    fn measure(&mut self, row: Row, plan: &Plan, check: impl Fn() -> Result<bool>) -> Result<&Row> {
        let name = format!("{} {} {}", row.operation, row.shape, row.variant);
        (self.watch)(Event::Begin(&name));
        plan.run();
        if !check()? {
            return Err(wrong(&name, "its result"));
        }
        let time = self.clock.time(plan)?;
        if !check()? {
            return Err(wrong(&name, "its result after many runs"));
        }
        let Limits { arithmetic_flop_per_second, copy_bytes_per_second, .. } = self.report.limits;
        let least = (row.flop / arithmetic_flop_per_second).max(row.bytes / copy_bytes_per_second);
        let share_of_limit = Some(least / time.median_seconds);
        Ok(self.push(Row { time: Some(time), share_of_limit, ..row }))
    }

    /// Adds a row that is not measured.
    fn skip(&mut self, row: Row, why: &str) {
        self.push(Row { skipped: Some(why.into()), ..row });
    }

    fn push(&mut self, row: Row) -> &Row {
        (self.watch)(Event::Row(&row));
        self.report.rows.push(row);
        &self.report.rows[self.report.rows.len() - 1]
    }
}

impl Row {
    /// A row without a time.
    fn new(operation: &str, shape: &[usize], variant: &str, flop: f64, bytes: f64) -> Self {
        let shape: Vec<_> = shape.iter().map(usize::to_string).collect();
        Self {
            operation: operation.into(),
            shape: shape.join("x"),
            variant: variant.into(),
            flop,
            bytes,
            time: None,
            share_of_limit: None,
            skipped: None,
        }
    }
}

fn wrong(operation: &str, what: &str) -> Error {
    Error::Gpu(format!(
        "{operation}: the adapter computes wrongly: {what} is not what it should be"
    ))
}

/// Random numbers, uniform between −1 and 1.
fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}
