//! `vae-gpu presets`.

use std::process::ExitCode;

use clap::Args;
use vae_gpu::Preset;

use super::failure::Result;

#[derive(Args)]
pub struct PresetsArgs {
    /// Print this one as TOML
    name: Option<String>,
}

pub fn run(args: &PresetsArgs) -> Result<ExitCode> {
    match &args.name {
        Some(name) => say!("{}", name.parse::<Preset>()?.toml().trim_end()),
        None => {
            for preset in Preset::ALL {
                say!("{:<11} {}", preset.name(), preset.summary());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
