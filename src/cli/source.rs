//! Where a configuration comes from, and for images of which shape it is.

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
    /// The configuration as it is written.
    pub fn read(&self) -> Result<Config> {
        match (&self.config, &self.preset) {
            (Some(file), _) => Ok(Config::read(file)?),
            (None, Some(name)) => Ok(name.parse::<Preset>()?.config()),
            (None, None) => Ok(Preset::MLP.config()),
        }
    }

    /// Puts what describes the model before why it is not one for images of `shape`; of a preset with
    /// those that it is made for.
    pub fn misfit(&self, shape: ImageShape) -> impl FnOnce(Error) -> Failure {
        let preset = self.preset.as_ref().and_then(|name| name.parse::<Preset>().ok());
        let other = preset.map(|preset| preset.shape()).filter(|made_for| *made_for != shape);
        let made_for = other.map_or(String::new(), |made_for| {
            format!(" (the preset is made for images of {made_for}: width x height x channels)")
        });
        let name = self.name();
        move |e| Failure::Usage(format!("{}: {}{made_for}", name.display(), worded(&e)))
    }

    /// What describes the model.
    pub fn name(&self) -> PathBuf {
        let preset = || format!("preset {}", self.preset.as_deref().unwrap_or("mlp")).into();
        self.config.clone().unwrap_or_else(preset)
    }
}

/// Shape of the images in the folder `data`, or else in the one that `config` names, and their number;
/// the shape that it states where it names none.
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

/// Puts what describes a model before what is wrong with it.
pub fn named(what: impl AsRef<Path>) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::Usage(format!("{}: {}", what.as_ref().display(), worded(&error)))
}
