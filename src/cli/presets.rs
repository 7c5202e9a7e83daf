//! `vae-gpu presets`.

use std::process::ExitCode;

use clap::Args;
use vae_gpu::{ImageShape, Preset};

use super::failure::Result;
use super::values::{channels, size};

#[derive(Args)]
pub struct PresetsArgs {
    /// Print this one as TOML
    name: Option<String>,
    /// For images of this size
    #[arg(long, value_name = "WxH", value_parser = size, requires = "name")]
    size: Option<(usize, usize)>,
    /// For images of 1 (grey) or 3 channels
    #[arg(long, value_name = "1|3", value_parser = channels, requires = "name")]
    channels: Option<usize>,
}

pub fn run(args: &PresetsArgs) -> Result<ExitCode> {
    match &args.name {
        Some(name) => {
            let preset = name.parse::<Preset>()?;
            let own = preset.shape();
            let (width, height) = args.size.unwrap_or((own.width, own.height));
            let channels = args.channels.unwrap_or(own.channels);
            let shape = ImageShape { width, height, channels };
            shape.check()?;
            say!("{}", preset.toml_for(shape).trim_end());
        }
        None => {
            for preset in Preset::ALL {
                say!("{:<11} {}", preset.name(), preset.summary());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
