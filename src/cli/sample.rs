//! `vae-gpu sample`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use vae_gpu::Vae;
use vae_gpu::train::save_samples;

use super::failure::Result;
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
    /// Images to draw
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=65_536u32))]
    count: u32,
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
    let (count, seed) = (args.count as usize, args.seed);
    wrote(&args.picture.written(NAME, |path, existing| {
        save_samples(&model, count, seed, args.draw, path, existing)
    })?);
    Ok(ExitCode::SUCCESS)
}
