//! `vae-gpu sample`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use vae_gpu::Vae;
use vae_gpu::config::Condition;
use vae_gpu::model::{Classes, Samples};
use vae_gpu::train::save_samples;
use vae_gpu::words::{did_you_mean, listed, shortened};

use super::failure::{Failure, Result};
use super::picture::PictureArgs;
use super::values::{path, whole};
use super::{AdapterArgs, note_untrained, wrote};

/// Name of the picture where no other is given.
const NAME: &str = "samples.png";

#[derive(Args)]
pub struct SampleArgs {
    /// Run folder, or a model.safetensors
    #[arg(value_parser = path())]
    pub run: PathBuf,
    /// Images to draw [default: 64, or 8 of each class]
    #[arg(long, allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=65_536u32))]
    count: Option<u32>,
    /// The class of the images, of a conditional model; by default a
    /// column for each class
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    label: Option<String>,
    /// Other draws for every seed
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    #[arg(value_parser = whole(0..=u64::MAX))]
    seed: u64,
    /// Draw the pixels from the likelihood too, rather than show its mean
    #[arg(long)]
    draw: bool,
    #[command(flatten)]
    picture: PictureArgs,
}

pub fn run(args: &SampleArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    args.picture.place(NAME)?;
    let model = Vae::load(&adapter.open()?, &args.run)?;
    note_untrained(&args.run);
    let condition = model.config().condition.as_ref();
    let classes = match &args.label {
        Some(label) => Classes::One(class(condition, label, &args.run)?),
        None => Classes::Turns,
    };
    let by_turns = condition.filter(|_| args.label.is_none());
    let default = by_turns.map_or(64, |condition| 8 * condition.classes.len());
    let count = args.count.map_or(default, |count| count as usize);
    let samples = Samples { count, seed: args.seed, draw: args.draw, classes };
    wrote(
        &args
            .picture
            .written(NAME, |path, existing| save_samples(&model, samples, path, existing))?,
    );
    if let Some(condition) = by_turns {
        let shown = count.min(condition.classes.len());
        say!("  columns: {}", listed(&condition.classes[..shown]));
    }
    Ok(ExitCode::SUCCESS)
}

/// The index of the class called `label` among those that the model in `run` is conditioned on.
fn class(condition: Option<&Condition>, label: &str, run: &Path) -> Result<u32> {
    let Some(Condition { column, classes, .. }) = condition else {
        return Err(Failure::Usage(format!(
            "--label {}: the model in {} is conditioned on nothing; leave the flag out",
            shortened(label),
            run.display()
        )));
    };
    let found = classes.iter().position(|class| class == label);
    found.map(|index| index as u32).ok_or_else(|| {
        let meant = did_you_mean(label, classes.iter().map(String::as_str));
        Failure::Usage(format!(
            "--label {}: is no {column} of the model, which has {}{meant}",
            shortened(label),
            listed(classes)
        ))
    })
}
