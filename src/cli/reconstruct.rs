//! `vae-gpu reconstruct`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use vae_gpu::Vae;
use vae_gpu::train::{COLUMNS, reconstructions};

use super::evaluate::SplitArgs;
use super::failure::Result;
use super::values::whole;
use super::{AdapterArgs, check_png, wrote};

#[derive(Args)]
pub struct ReconstructArgs {
    #[command(flatten)]
    split: SplitArgs,
    /// Images to show, from the beginning of the test split
    #[arg(long, default_value_t = 16, allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=32_768u32))]
    count: u32,
    /// PNG file to write
    #[arg(long, value_name = "FILE", default_value = "reconstructions.png")]
    out: PathBuf,
}

pub fn run(args: &ReconstructArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    check_png(&args.out)?;
    let split = args.split.read()?;
    let model = Vae::load(&adapter.open()?, &args.split.run)?;
    let pairs = reconstructions(&model, &split.table, args.count as usize)?;
    pairs.save_grid(&args.out, COLUMNS)?;
    wrote(&args.out);
    Ok(ExitCode::SUCCESS)
}
