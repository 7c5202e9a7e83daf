//! The adapter's limits, measured with simple kernels, with which other rows are compared.

use std::time::Instant;

use serde::Serialize;

use super::clock::{Clock, Time};
use super::{random, wrong};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::limits;

/// Invocations of the kernel for arithmetic, enough to fill any adapter several times.
const INVOCATIONS: usize = 1 << 20;
/// Seconds that a dispatch of it should last, so that its launch is negligible.
const LONG: f64 = 1e-3;
/// Bytes copied on GPUs and on software adapters: more than their caches hold.
const COPIED: [u64; 2] = [256 << 20, 64 << 20];
/// Number of independent dispatches in a submission: each writes a buffer of its own.
const INDEPENDENT: usize = 256;
/// Bytes that the host writes and reads in a transfer.
const MOVED: usize = 32 << 20;

/// Measured limits of an adapter: lower quartiles of the times for arithmetic and copies, and
/// medians of the rest.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Rate of 32-bit multiply-adds, each counted as two operations.
    pub arithmetic_flop_per_second: f64,
    /// Rate of a copy within the adapter's memory, counting both the bytes read and those written.
    pub copy_bytes_per_second: f64,
    /// Time of a dispatch of one workgroup that waits for the dispatch before it.
    pub dispatch_seconds: f64,
    /// Time of a dispatch of one workgroup that waits for no other.
    pub independent_dispatch_seconds: f64,
    /// Time of a submission of one such dispatch, until the host knows that it is done.
    pub submission_seconds: f64,
    /// Rate of transfers from the host's memory to the adapter's.
    pub upload_bytes_per_second: f64,
    /// Rate of transfers from the adapter's memory to the host's.
    pub readback_bytes_per_second: f64,
    /// Whether times are by the adapter's timestamps; otherwise by the host's clock.
    pub by_timestamps: bool,
}

/// Measures all limits, and sets the time of a submission in `clock`.
pub(super) fn measure(gpu: &Gpu, clock: &mut Clock) -> Result<Limits> {
    let submission = submission(gpu, clock)?;
    clock.set_submission(submission);
    let (dispatch, independent) = dispatches(gpu, clock)?;
    let (upload, readback) = transfers(gpu, clock, submission)?;
    Ok(Limits {
        arithmetic_flop_per_second: arithmetic(gpu, clock)?,
        copy_bytes_per_second: copy(gpu, clock)?,
        dispatch_seconds: dispatch,
        independent_dispatch_seconds: independent,
        submission_seconds: submission,
        upload_bytes_per_second: upload,
        readback_bytes_per_second: readback,
        by_timestamps: clock.is_adapters(),
    })
}

/// Measures the rate of arithmetic in operations a second.
pub(super) fn arithmetic(gpu: &Gpu, clock: &Clock) -> Result<f64> {
    // A factor near one and an addend near zero keep the values from overflow and denormals, with
    // which arithmetic may be slower.
    let factors = Tensor::new(gpu, "factors", &[2], &[0.999f32, 0.001]);
    let start = Tensor::new(gpu, "start", &[INVOCATIONS], &random(1, INVOCATIONS));
    let result = Tensor::zeros("result", &[INVOCATIONS]);
    let mut rounds = 4;
    let plan = loop {
        let mut recording = Recording::new(gpu.report());
        limits::arithmetic(&mut recording, "limits", rounds, &factors, &start, &result);
        let plan = recording.compile(gpu);
        clock.busy(&plan, 1)?;
        if clock.busy(&plan, 1)? >= LONG || rounds > 1 << 16 {
            break plan;
        }
        rounds *= 4;
    };
    let time = clock.time(&plan)?;
    let (got, first) = (result.read::<f32>(gpu)?[0], f64::from(start.read::<f32>(gpu)?[0]));
    let steps = |v: f64| (0..8 * rounds).fold(v, |v, _| 0.999 * v + 0.001);
    let want: f64 = (1..=12).map(|k| steps(f64::from(k) * first)).sum();
    if (f64::from(got) - want).abs() > 1e-3 * want.abs().max(1.0) {
        return Err(wrong("limits.arithmetic", "the sum of the accumulators"));
    }
    let flop = 2.0 * (limits::MULTIPLY_ADDS * rounds as usize * INVOCATIONS) as f64;
    Ok(flop / time.lower_quartile_seconds)
}

/// Measures the rate of the faster way to copy, in bytes a second.
fn copy(gpu: &Gpu, clock: &Clock) -> Result<f64> {
    let wanted = COPIED[usize::from(gpu.report().is_software())];
    let elements = (wanted.min(gpu.report().max_binding_bytes) / 16 * 4) as usize;
    let values = random(2, elements);
    let source = Tensor::new(gpu, "source", &[elements], &values);
    let copied = Tensor::zeros("copied", &[elements]);
    let mut best = 0.0f64;
    for quads in limits::QUADS {
        let mut recording = Recording::new(gpu.report());
        limits::copy(&mut recording, "limits", quads, &source, &copied);
        let time = clock.time(&recording.compile(gpu))?;
        best = best.max(8.0 * elements as f64 / time.lower_quartile_seconds);
    }
    match copied.read::<f32>(gpu)? == values {
        true => Ok(best),
        false => Err(wrong("limits.copy", "the copy")),
    }
}

/// Measures the seconds of a dispatch that waits for the one before it, and of one that does not.
fn dispatches(gpu: &Gpu, clock: &Clock) -> Result<(f64, f64)> {
    let counter = || Tensor::zeros("counter", &[limits::COUNTER]);
    let (mut waiting, shared) = (Recording::new(gpu.report()), counter());
    limits::touch(&mut waiting, "limits", &shared);
    let waiting = clock.time(&waiting.compile(gpu))?;
    let (mut independent, own) =
        (Recording::new(gpu.report()), Vec::from_iter((0..INDEPENDENT).map(|_| counter())));
    own.iter().for_each(|own| limits::touch(&mut independent, "limits", own));
    // The plan is run once in a submission: a second run would wait for the first.
    let independent = clock.time_runs(&independent.compile(gpu), 1)?;
    if own[INDEPENDENT - 1].read::<u32>(gpu)? != own[0].read::<u32>(gpu)? {
        return Err(wrong("limits.touch", "the count"));
    }
    Ok((waiting.median_seconds, independent.median_seconds / INDEPENDENT as f64))
}

fn submission(gpu: &Gpu, clock: &Clock) -> Result<f64> {
    let mut recording = Recording::new(gpu.report());
    limits::touch(&mut recording, "limits", &Tensor::zeros("counter", &[limits::COUNTER]));
    let plan = recording.compile(gpu);
    clock.wall(&plan, 1)?;
    let seconds = clock.wall(&plan, 1)?;
    Ok(clock.samples(1, seconds, || clock.wall(&plan, 1))?.median_seconds)
}

/// Measures the bytes a second of [`Tensor::write`] and [`Tensor::read`].
fn transfers(gpu: &Gpu, clock: &Clock, submission: f64) -> Result<(f64, f64)> {
    let tensor = Tensor::zeros("moved", &[MOVED / 4]);
    let values = random(3, MOVED / 4);
    let up = || {
        let begun = Instant::now();
        tensor.write(gpu, &values);
        gpu.wait(gpu.submit(|_| ()))?;
        Ok((begun.elapsed().as_secs_f64() - submission).max(1e-9))
    };
    let down = || {
        let begun = Instant::now();
        let read = tensor.read::<f32>(gpu)?;
        let seconds = begun.elapsed().as_secs_f64() - submission;
        match read == values {
            true => Ok(seconds.max(1e-9)),
            false => Err(wrong("limits.readback", "what was uploaded")),
        }
    };
    let rate = |time: Time| MOVED as f64 / time.median_seconds;
    let seconds = up()?;
    let upload = clock.samples(1, seconds, up)?;
    let seconds = down()?;
    let readback = clock.samples(1, seconds, down)?;
    Ok((rate(upload), rate(readback)))
}
