//! Time from the start of the program to the end of its first training step.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use super::clock::Time;
use super::{Event, Suite};
use vae_gpu::config::Preset;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::tune::Tune;
use vae_gpu::train::{TrainOptions, Trainer};
use vae_gpu::{Error, Result};

/// Number of starts, of which the median is taken.
const STARTS: usize = 3;

/// Starts of the program.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    /// `start.` and the preset's name.
    pub operation: String,
    /// Time with empty caches of this program and of drivers whose cache can be moved (Mesa's,
    /// NVIDIA's).
    pub cold: Time,
    /// Time with the caches that the start before has left.
    pub warm: Time,
}

/// Trains `preset` on the built-in digits, as `vae-gpu train` does, and calls `done` after the
/// first step.
///
/// # Errors
///
/// The same as [`Trainer::new`] and [`Trainer::epoch`].
pub fn first_step(gpu: &Gpu, preset: Preset, mut done: impl FnMut()) -> Result<()> {
    let config = preset.config();
    let data = config.data.read()?;
    let tune = Tune::Quick;
    let options = TrainOptions { steps_per_submission: Some(1), tune, ..TrainOptions::default() };
    Trainer::new(gpu, &config, &data, options)?.epoch(|_| {
        done();
        ControlFlow::Break(())
    })?;
    Ok(())
}

/// Times the starts of the preset that `operation` names.
pub(super) fn starts(suite: &mut Suite, operation: &str) -> Result<()> {
    if suite.program.is_empty() {
        return Ok(());
    }
    (suite.watch)(Event::Begin(operation));
    let preset = operation.trim_start_matches("start.");
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
        cold.push(start(suite.program, preset, folder.path())?);
        warm.push(start(suite.program, preset, folder.path())?);
    }
    let [cold, warm] = [cold, warm].map(|seconds| Time::new(seconds, 1));
    let start = Start { operation: operation.into(), cold, warm };
    (suite.watch)(Event::Start(&start));
    suite.report.starts.push(start);
    Ok(())
}

/// Seconds from the start of `program` to the line that reports its first step, with all caches in
/// `folder`.
fn start(program: &[OsString], preset: &str, folder: &Path) -> Result<f64> {
    let fail = |what: String| Error::Gpu(format!("cannot time a start of the program: {what}"));
    let begun = Instant::now();
    let mut child = Command::new(&program[0])
        .args(&program[1..])
        .arg(preset)
        .env("VAE_GPU_CACHE", folder.join("vae-gpu"))
        .env("XDG_CACHE_HOME", folder)
        .env("MESA_SHADER_CACHE_DIR", folder)
        .env("__GL_SHADER_DISK_CACHE_PATH", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| fail(e.to_string()))?;
    let mut line = String::new();
    let output = child.stdout.take().expect("standard output is piped");
    let read = BufReader::new(output).read_line(&mut line);
    let seconds = begun.elapsed().as_secs_f64();
    // Waits for the program's end, at which it writes its caches.
    let ended = child.wait().map_err(|e| fail(e.to_string()))?;
    match read {
        Ok(1..) if ended.success() => Ok(seconds),
        _ => Err(fail(format!("it ended with {ended}"))),
    }
}
