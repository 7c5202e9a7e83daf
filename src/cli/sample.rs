//! `vae-gpu sample`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use vae_gpu::Vae;

use super::failure::Result;
use super::values::whole;
use super::{AdapterArgs, check_png, wrote};

#[derive(Args)]
pub struct SampleArgs {
    /// Run folder, or a model.safetensors
    run: PathBuf,
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
    /// PNG file to write
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    out: PathBuf,
}

pub fn run(args: &SampleArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    check_png(&args.out)?;
    let model = Vae::load(&adapter.open()?, &args.run)?;
    let sample = if args.draw { Vae::sample_drawn } else { Vae::sample_seeded };
    sample(&model, args.count as usize, args.seed)?.save_png(&args.out)?;
    wrote(&args.out);
    Ok(ExitCode::SUCCESS)
}
