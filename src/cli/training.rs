//! The loop of training: what it prints and when it saves.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vae_gpu::train::{Progress, RunFolder};
use vae_gpu::{Dataset, Error, Trainer};

use super::failure::Result;
use super::progress::{HEADING, Life, bar, conclude, print_row};
use super::{AdapterArgs, shell, stop};

/// Shortest interval of saving: a run is saved after an epoch if the last save is longer ago than this.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// A run is saved no sooner than so many times what the last save took, so that training has most of the
/// time.
const SAVE_SHARE: u32 = 30;

/// Trains and saves, `within` an epoch as well; a save takes about as long as `saving`.
pub fn train(
    trainer: &Trainer,
    run: &mut RunFolder,
    data: &Dataset,
    (within, saving): (Duration, Duration),
    adapter: &AdapterArgs,
) -> Result<ExitCode> {
    let epochs = trainer.config().train.epochs;
    let interval = |saving: Duration| SAVE_EVERY.max(SAVE_SHARE * saving);
    let (mut saved, mut saving) = (Instant::now(), saving);
    let mut saved_step = trainer.state().step;
    say!("{HEADING}");
    let mut life = Life::new(trainer, Instant::now());
    let (mut seconds, mut images) = (0.0, 0.0);
    loop {
        let bar = bar(trainer.state().epoch + 1, epochs, trainer.steps_per_epoch());
        let report = trainer.epoch(|progress: Progress| {
            bar.set_position(progress.step as u64);
            if let Some(line) = life.line(Instant::now(), &progress) {
                warn!("{line}");
            }
            // An evaluation that is broken off begins anew, so one that takes longer would never end.
            let is_training = progress.step < progress.steps;
            let is_due = is_training && saved.elapsed() >= within.max(SAVE_SHARE * saving);
            match stop::requested() {
                None if !is_due => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        bar.finish_and_clear();
        let Some(mut report) = report.map_err(|e| diverged(e, trainer, run.path(), saved_step))?
        else {
            break;
        };
        // An epoch may have been interrupted for a save.
        images += report.images_per_second * report.seconds;
        seconds += report.seconds;
        (report.seconds, report.images_per_second) = (seconds, images / seconds);
        if report.complete || trainer.is_finished() {
            print_row(&report, trainer.config().model.variational);
            run.push(&report);
            (seconds, images) = (0.0, 0.0);
        }
        // An epoch that is not complete was broken off for a save.
        let is_due = !report.complete || stop::requested().is_some() || trainer.is_finished();
        let is_saved = is_due || saved.elapsed() >= interval(saving);
        if is_saved {
            let begun = Instant::now();
            let save = run.save(trainer, data);
            save.map_err(|e| diverged(e, trainer, run.path(), saved_step))?;
            (saved, saved_step) = (Instant::now(), trainer.state().step);
            saving = saved - begun;
        }
        // A signal may have come while the run was saved.
        let code = stop::requested().filter(|_| is_saved && !trainer.is_finished());
        if let Some(code) = code {
            say!("stopped after step {}; to go on:", trainer.state().step);
            let resume = ["train".into(), "--resume".into(), shell::path(run.path())];
            say!("  {}", adapter.command(resume));
            return Ok(ExitCode::from(code));
        }
    }
    let shown = data.test.as_ref().unwrap_or(&data.train).len();
    conclude(run.path(), trainer.model(), shown, adapter);
    Ok(ExitCode::SUCCESS)
}

/// The error of a run that has diverged, with the way on; `saved` steps had been taken at its last save.
fn diverged(error: Error, trainer: &Trainer, run: &Path, saved: u32) -> Error {
    let train = &trainer.config().train;
    let what = match &error {
        Error::Diverged { what, epoch, step } => {
            format!("{what} is no longer finite (epoch {epoch}, step {step})")
        }
        Error::NotFinite { what } => format!("{what} is no longer finite"),
        _ => return error,
    };
    // Other optimizers than Adam take larger ones, and none of them a tenth of 1e30. One that has worked
    // will do.
    let worked = trainer.before().map_or(f64::INFINITY, |before| before.learning_rate);
    let smaller = format!("{:.0e}", (train.learning_rate / 10.0).min(1e-2).min(worked));
    let folder = shell::quoted(&shell::path(run));
    let way_on = match saved {
        0 => format!("train again with --lr {smaller} and --out {folder} --overwrite"),
        _ => format!(
            "go on from its last save, step {saved}, with --resume {folder} --epochs {} --lr {smaller}, or \
             train again with --out {folder} --overwrite",
            train.epochs
        ),
    };
    Error::run(run, format!("{what} at the learning rate {:e}; {way_on}", train.learning_rate))
}
