//! Whole training steps of the presets, and the causes of the time that they take.

use serde::Serialize;

use super::clock::Time;
use super::{Event, Limits, Suite, random, wrong};
use vae_gpu::Result;
use vae_gpu::config::{Config, Preset};
use vae_gpu::data::{Column, Dataset, ImageShape, Table};
use vae_gpu::model::{Totals, Vae};
use vae_gpu::ops::State;
use vae_gpu::ops::tune::Tune;
use vae_gpu::train::{TrainOptions, Trainer};

/// Number of batches in the dataset, and largest number of steps in a submission.
const BATCHES: usize = 64;
/// Seconds that a submission of steps should last, as in training.
const SUBMISSION: f64 = 0.1;

/// Training steps of a preset.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Name of the operation: `step.` and the preset's name.
    pub operation: String,
    /// Number of images in a step.
    pub batch: usize,
    /// Number of dispatches in a step.
    pub dispatches: usize,
    /// Time of a step by the host's clock, in submissions of several as in training.
    pub wall: Time,
    /// Time of a step in which the adapter is busy, by its timestamps if it has any.
    pub busy: Time,
    /// Number of images processed in a second of training.
    pub images_per_second: f64,
    /// Share of the wall time for launching dispatches: their number times
    /// [`Limits::dispatch_seconds`].
    pub launch_share: f64,
    /// Share of the wall time for the products at [`Limits::arithmetic_flop_per_second`].
    pub arithmetic_share: f64,
    /// Share of the wall time for reads and writes at [`Limits::copy_bytes_per_second`], as if no
    /// data came from a cache.
    pub memory_share: f64,
    /// Remaining share: kernels slower than the limits, and the host. Zero if the shares above,
    /// which may overlap, add up to more than one.
    pub waiting_share: f64,
}

/// Times the steps of the preset that `operation` names.
pub(super) fn step(suite: &mut Suite, operation: &str) -> Result<()> {
    (suite.watch)(Event::Begin(operation));
    let preset: Preset = operation.trim_start_matches("step.").parse()?;
    let config = preset.config();
    let batch = config.train.batch_size;
    let data = images(BATCHES * batch, preset.shape())?;
    let options = TrainOptions { tune: Tune::Quick, ..TrainOptions::default() };
    let trainer = Trainer::new(&suite.gpu, &config, &data, options)?;
    let (plan, running) = trainer.full_step();
    let (gpu, clock) = (&suite.gpu, &suite.clock);
    // Back to the first image: otherwise the steps would run past the last.
    let rewind = || {
        running.write(gpu, &Totals { state: trainer.state(), ..Totals::default() });
        gpu.wait(gpu.submit(|_| ()))
    };

    rewind()?;
    clock.wall(plan, 1)?;
    let seconds = clock.wall(plan, 1)?;
    let runs = ((SUBMISSION / seconds) as usize).clamp(1, BATCHES);
    let sample = runs as f64 * seconds;
    let wall = clock.samples(runs, sample, || {
        rewind()?;
        Ok(clock.wall(plan, runs)? / runs as f64)
    })?;
    let busy = clock.samples(runs, sample, || {
        rewind()?;
        Ok(clock.busy(plan, runs)? / runs as f64)
    })?;
    let totals = running.read(gpu)?;
    let (State { row, .. }, recon) = (totals.state, totals.terms()[0]);
    // The loss may be negative, since a density may be above 1.
    let fine = recon.is_finite() && recon != 0.0;
    if row as usize != runs * batch || !fine {
        return Err(wrong(operation, "the loss"));
    }

    let dispatches = plan.labels().count();
    let (flop, bytes) = work(&config, trainer.model());
    let Limits { dispatch_seconds, arithmetic_flop_per_second, copy_bytes_per_second, .. } =
        suite.report.limits;
    let share = |seconds: f64| seconds / wall.median_seconds;
    let launch_share = share(dispatches as f64 * dispatch_seconds);
    let arithmetic_share = share(flop / arithmetic_flop_per_second);
    let memory_share = share(bytes / copy_bytes_per_second);
    let step = Step {
        operation: operation.into(),
        batch,
        dispatches,
        wall,
        busy,
        images_per_second: batch as f64 / wall.median_seconds,
        launch_share,
        arithmetic_share,
        memory_share,
        waiting_share: (1.0 - launch_share - arithmetic_share - memory_share).max(0.0),
    };
    (suite.watch)(Event::Step(&step));
    suite.report.steps.push(step);
    Ok(())
}

/// A dataset of random images: the time of a step does not depend on the pixels.
fn images(count: usize, shape: ImageShape) -> Result<Dataset> {
    let values = random(1, count * shape.pixels());
    let pixels: Vec<u8> = values.iter().map(|v| (v.abs() * 255.9) as u8).collect();
    let train = Table::new().with(Table::IMAGE, Column::images(shape, pixels))?;
    // For those that are conditioned on them.
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 10).collect();
    let names = (0..10).map(|class| class.to_string());
    let train = train.with(Table::LABEL, Column::classes(names, labels))?;
    Dataset::new("random", train, None)
}

/// Number of operations of the layers in a step, and of bytes that its kernels read and write,
/// without the shuffle, which runs once an epoch, and the report.
fn work(config: &Config, model: &Vae) -> (f64, f64) {
    let batch = config.train.batch_size as u64;
    let network = model.network();
    let layers = crate::cli::layers::rows(network);
    // The forward pass, the gradients of the weights, and, except in the first layer, of the input.
    let passes = |i: usize| if i == 0 { 2 } else { 3 };
    let flop: u64 = layers.iter().enumerate().map(|(i, row)| passes(i) * row.flop).sum();
    let values: u64 = layers.iter().map(|row| row.samples as u64 * 2 * row.output.bytes()).sum();
    // Each layer's output and its gradient are written once and read twice. The forward and the
    // backward pass read each parameter; the update reads and writes it and its two moments.
    let bytes = 3 * batch * values + (2 + 6) * model.parameters().layout().bytes();
    ((batch * flop) as f64, bytes as f64)
}
