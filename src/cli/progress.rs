//! The output of training: the adapter and the run, a line for each epoch, and the files it leaves.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use vae_gpu::gpu::AdapterReport;
use vae_gpu::model::RECON;
use vae_gpu::train::{EpochReport, Pictured, Progress, Residence, RunFolder, row_names};
use vae_gpu::words::counted;
use vae_gpu::{Column, Dataset, Table, Trainer, Vae};

use super::source::Fitted;
use super::{AdapterArgs, shell};

pub const HEADING: &str = "\nlosses in nats per image
epoch    train     test    recon       kl active   seconds   images/s";

pub fn introduce(
    adapter: &AdapterReport,
    data: &Dataset,
    trainer: &Trainer,
    run: &RunFolder,
    fitted: Option<&Fitted>,
) {
    let parameters: usize =
        trainer.model().parameters().layout().specs().map(|spec| spec.len()).sum();
    say!("adapter  {} ({}, index {})", adapter.name, adapter.kind, adapter.index);
    let test = data.test.as_ref().map_or("none".into(), |test| test.len().to_string());
    let labels = match data.train.column(Table::LABEL) {
        Some(Column::Classes { names, .. }) if names.len() > 1 => {
            format!(", {} classes", names.len())
        }
        _ => String::new(),
    };
    say!(
        "data     {}: {} to train on, {test} to test, {}{labels}",
        data.name,
        counted(data.train.len(), "image"),
        trainer.model().shape()
    );
    let (residence, bytes) = trainer.residence();
    let bytes = ByteSize::b(bytes).display().iec();
    match residence {
        Residence::Adapter { buffers: ..=1 } => say!("stored   {bytes}, on the adapter"),
        Residence::Adapter { buffers } => {
            say!("stored   {bytes}, on the adapter in {buffers} buffers");
        }
        Residence::Memory => say!("stored   {bytes}, streamed from memory"),
        Residence::File(path) => say!("stored   {bytes}, streamed from {}", path.display()),
    }
    if let Some(fitted) = fitted {
        say!("preset   {}", fitted.words(trainer.model().shape()));
    }
    say!("model    {parameters} parameters");
    say!("run      {}", run.path().display());
    if !run.is_locked() {
        say!("         its file system has no locks: start only one program at a time in it");
    }
    if trainer.state().step > 0 {
        say!("resumed  after step {}", trainer.state().step);
    }
    for change in trainer.before().iter().flat_map(|then| trainer.config().train.rate_changes(then))
    {
        say!("changed  {change}");
    }
}

/// Prints an epoch's line of the table; recon and kl are those of the test split if there is one,
/// otherwise those of training.
pub fn print_row(report: &EpochReport, variational: bool) {
    // A plain autoencoder has neither a KL divergence nor active latent variables.
    let or_dash = |value: Option<String>| value.unwrap_or("-".into());
    let seen = report.test_or_train();
    let term = |name| seen.term(name).unwrap_or(f64::NAN);
    let kl = or_dash(variational.then(|| format!("{:.2}", seen.kl().unwrap_or(f64::NAN))));
    // Those of several levels, or of another prior, are not counted.
    let is_counted = variational && !seen.unit_kl.is_empty();
    let active = or_dash(is_counted.then(|| seen.active_units.to_string()));
    let test = or_dash(report.test.as_ref().map(|test| format!("{:.2}", test.loss)));
    say!(
        "{:>5} {:>8.2} {test:>8} {:>8.2} {kl:>8} {active:>6} {:>9.1} {:>10.0}",
        report.epoch,
        report.train.loss,
        term(RECON),
        report.seconds,
        report.images_per_second,
    );
}

/// Prints the files of the run folder `path` and what they show, of images of which the split that is
/// reconstructed has `rows`.
pub fn conclude(path: &Path, model: &Vae, rows: usize, adapter: &AdapterArgs) {
    let variational = model.config().variational;
    let Pictured { samples, reconstructions, few } = Pictured::of(model.shape(), rows);
    // A picture of large images has only a few of them, which is to be no surprise.
    let [few_new, few] = few.map(|few| if few { ", few as they are large" } else { "" });
    let new = format!("{} from the prior{few_new}", counted(samples, "new image"));
    let images = counted(reconstructions, "image");
    let rows = format!("{images}{few}; rows: {}", row_names(model).join(", "));
    say!("\nin {}", path.display());
    for (file, what) in [
        ("samples.png", new.as_str()),
        ("reconstructions.png", &rows),
        ("loss.svg", "the loss curves"),
        ("model.safetensors", "the weights, as PyTorch lays them out"),
    ] {
        if variational || file != "samples.png" {
            // The width that a terminal of 80 columns leaves beside the names.
            for (i, line) in textwrap::wrap(what, 56).iter().enumerate() {
                say!("  {:<21} {line}", if i == 0 { file } else { "" });
            }
        }
    }
    if variational {
        let sample = ["sample".into(), shell::path(path)].into_iter();
        let more = ["--count", "64", "--seed", "7"].map(OsString::from);
        say!("\nmore images: {}", adapter.command(sample.chain(more)));
    }
}

/// Lines that tell where training stands, in place of a bar where standard error is no terminal: a log is to
/// show that it goes on.
pub struct Life {
    /// Nothing where there is a bar.
    said: Option<Instant>,
    begun: Instant,
    /// Steps that were done when it began, and those that are to be done in all.
    first: u64,
    all: u64,
    epochs: u32,
}

/// Time from one line to the next.
const LIFE_EVERY: Duration = Duration::from_secs(30);

impl Life {
    /// Begins at `now` with the steps that `trainer` has taken.
    pub fn new(trainer: &Trainer, now: Instant) -> Self {
        let (epochs, step) = (trainer.config().train.epochs, trainer.state().step);
        let all = u64::from(epochs) * trainer.steps_per_epoch() as u64;
        let all = trainer.max_steps().map_or(all, |most| all.min(most.into()));
        let said = (!std::io::stderr().is_terminal()).then_some(now);
        Self { said, begun: now, first: step.into(), all, epochs }
    }

    /// The line that is due at `now`, if one is.
    pub fn line(&mut self, now: Instant, progress: &Progress) -> Option<String> {
        if now - self.said? < LIFE_EVERY {
            return None;
        }
        self.said = Some(now);
        let Progress { epoch, step, steps, loss } = progress;
        let done = u64::from(epoch - 1) * *steps as u64 + *step as u64;
        let each = (now - self.begun).as_secs_f64() / done.saturating_sub(self.first).max(1) as f64;
        let left = Duration::from_secs_f64(each * self.all.saturating_sub(done) as f64);
        let loss = loss.map_or(String::new(), |loss| format!(", loss {loss:.2}"));
        let epochs = self.epochs;
        let left = HumanDuration(Duration::from_secs(left.as_secs()));
        Some(format!("epoch {epoch}/{epochs}, step {step}/{steps}{loss}, {left} left"))
    }
}

/// A progress bar on standard error, which is not drawn if that is no terminal.
pub fn bar(epoch: u32, epochs: u32, steps: usize) -> ProgressBar {
    let template =
        format!("epoch {epoch:>3}/{epochs} {{bar:30}} {{pos}}/{{len}} steps, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_life_is_said_every_half_minute() {
        let begun = Instant::now();
        let mut life = Life { said: Some(begun), begun, first: 100, all: 1000, epochs: 10 };
        let mut at = |seconds: u64, epoch, step, loss| {
            let progress = Progress { epoch, step, steps: 100, loss };
            life.line(begun + Duration::from_secs(seconds), &progress)
        };
        assert_eq!(at(29, 2, 10, None), None);
        // 20 steps in 30 seconds, and 880 to go.
        let line = "epoch 2/10, step 20/100, 22 minutes left";
        assert_eq!(at(30, 2, 20, None).as_deref(), Some(line));
        assert_eq!(at(59, 2, 30, Some(5.0)), None);
        let line = "epoch 2/10, step 40/100, loss 123.46, 22 minutes left";
        assert_eq!(at(60, 2, 40, Some(123.456)).as_deref(), Some(line));
        let line = "epoch 10/10, step 100/100, loss 1.00, 0 seconds left";
        assert_eq!(at(1000, 10, 100, Some(1.0)).as_deref(), Some(line));
        let mut beside_a_bar = Life { said: None, ..life };
        let progress = Progress { epoch: 2, step: 20, steps: 100, loss: None };
        assert_eq!(beside_a_bar.line(begun + Duration::from_secs(60), &progress), None);
    }
}
