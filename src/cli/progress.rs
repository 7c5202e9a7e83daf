//! The output of training: the adapter and the run, a line for each epoch, and the files it leaves.

use std::ffi::OsString;
use std::path::Path;

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use vae_gpu::gpu::AdapterReport;
use vae_gpu::model::{KL, RECON};
use vae_gpu::train::{EpochReport, Pictured, Residence, RunFolder, row_names};
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
    say!("adapter  {} ({})", adapter.name, adapter.kind);
    let test = data.test.as_ref().map_or("no".into(), |test| test.len().to_string());
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
    let kl = or_dash(variational.then(|| format!("{:.2}", term(KL))));
    let active = or_dash(variational.then(|| seen.active_units.to_string()));
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
    // Of large images only a few are shown, which are to be no surprise.
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

/// A progress bar on standard error, which is not drawn if that is no terminal.
pub fn bar(epoch: u32, epochs: u32, steps: usize) -> ProgressBar {
    let template =
        format!("epoch {epoch:>3}/{epochs} {{bar:30}} {{pos}}/{{len}} steps, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style)
}
