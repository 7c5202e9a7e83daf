//! The source of a configuration, and the shape of the images that it is for.

use std::path::{Path, PathBuf};

use clap::Args;
use vae_gpu::{Config, Error, ImageShape, Preset};

use super::failure::{Failure, Result, worded};

#[derive(Args)]
pub struct SourceArgs {
    /// The model of a preset; `vae-gpu presets` lists them [default: mlp]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub preset: Option<String>,
    /// The model in a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl SourceArgs {
    /// Reads the configuration, without values from other flags.
    pub fn read(&self) -> Result<Config> {
        match (&self.config, &self.preset) {
            (Some(file), _) => Ok(Config::read(file)?),
            (None, Some(name)) => Ok(name.parse::<Preset>()?.config()),
            (None, None) => Ok(Preset::MLP.config()),
        }
    }

    /// Prefixes an error about images of `shape` with the model's file or preset, and for a preset
    /// with the shape that it is made for.
    pub fn misfit(&self, shape: ImageShape) -> impl FnOnce(Error) -> Failure {
        let preset = self.preset.as_ref().and_then(|name| name.parse::<Preset>().ok());
        let other = preset.map(|preset| preset.shape()).filter(|made_for| *made_for != shape);
        let made_for = other.map_or(String::new(), |made_for| {
            format!(" (the preset is made for images of {made_for}: width x height x channels)")
        });
        let name = self.name();
        move |e| Failure::Usage(format!("{}: {}{made_for}", name.display(), worded(&e)))
    }

    /// The model's file, or `preset` and its name, for messages.
    pub fn name(&self) -> PathBuf {
        let preset = || format!("preset {}", self.preset.as_deref().unwrap_or("mlp")).into();
        self.config.clone().unwrap_or_else(preset)
    }
}

/// The shape and the number of the images in the folder `data`, or otherwise in the folder that
/// `config` names; if it names none, the shape that it states.
pub fn images(config: &Config, data: Option<&Path>) -> Result<(ImageShape, Option<usize>)> {
    let mut from = config.data.clone();
    from.path = data.map_or(from.path, PathBuf::from);
    if from.is_builtin() {
        return Ok((from.stated_shape()?, None));
    }
    let data = from.read()?;
    let count = data.train.len() + data.test.as_ref().map_or(0, |test| test.len());
    Ok((data.shape()?, Some(count)))
}

/// Prefixes an error with `what`, the file or preset that describes the model.
pub fn named(what: impl AsRef<Path>) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::Usage(format!("{}: {}", what.as_ref().display(), worded(&error)))
}
