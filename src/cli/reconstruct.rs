//! `vae-gpu reconstruct`.

use std::process::ExitCode;

use clap::Args;
use vae_gpu::Vae;
use vae_gpu::train::{row_names, save_reconstructions};
use vae_gpu::words::counted;

use super::evaluate::SplitArgs;
use super::failure::Result;
use super::picture::PictureArgs;
use super::values::whole;
use super::{AdapterArgs, note_untrained, wrote};

/// Name of the picture where no other is given.
const NAME: &str = "reconstructions.png";

#[derive(Args)]
pub struct ReconstructArgs {
    #[command(flatten)]
    pub split: SplitArgs,
    /// Images to show, spread over the test split
    #[arg(long, default_value_t = 16, allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=32_768u32))]
    count: u32,
    #[command(flatten)]
    picture: PictureArgs,
}

pub fn run(args: &ReconstructArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    args.picture.place(NAME)?;
    let split = args.split.read()?;
    let model = Vae::load(&adapter.open()?, &args.split.run)?;
    note_untrained(&args.split.run);
    let (wanted, found) = (args.count as usize, split.table.len());
    wrote(&args.picture.written(NAME, |path, existing| {
        save_reconstructions(&model, &split.table, wanted, path, existing)
    })?);
    let shown = counted(wanted.min(found), "image");
    let only =
        if wanted > found { format!(" ({wanted} asked for, no more there)") } else { "".into() };
    say!("  {shown} of the {}{only}", split.name);
    say!("  rows, repeating: {}", row_names(&model).join(", "));
    Ok(ExitCode::SUCCESS)
}
