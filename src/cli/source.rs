//! The source of a configuration, and the shape of the images that it is for.

use std::path::{Path, PathBuf};

use clap::Args;
use vae_gpu::config::DataConfig;
use vae_gpu::{Config, Error, ImageShape, Preset, Survey};

use super::failure::{Failure, Result, worded};
use super::values::path;

#[derive(Args)]
pub struct SourceArgs {
    /// The model of a preset; `vae-gpu presets` lists them
    /// [default: mlp, or conv-rgb for images in colour]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub preset: Option<String>,
    /// The model in a TOML file
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub config: Option<PathBuf>,
}

impl SourceArgs {
    /// Reads the configuration, without values from other flags; that of a preset is for images of
    /// its own shape.
    pub fn read(&self) -> Result<Config> {
        Ok(self.read_with_batch()?.0)
    }

    /// The same, and whether the batch size was chosen: one that a preset has is a default.
    pub fn read_with_batch(&self) -> Result<(Config, bool)> {
        match &self.config {
            Some(file) => Ok(Config::read_with_batch(file)?),
            None => Ok((self.named_preset()?.unwrap_or(Preset::MLP).config(), false)),
        }
    }

    /// The preset for images of `shape`: the one that was named, or the one that suits them; `None`
    /// where the configuration is a file.
    pub fn preset(&self, shape: ImageShape) -> Result<Option<Preset>> {
        if self.config.is_some() {
            return Ok(None);
        }
        Ok(Some(self.named_preset()?.unwrap_or(Preset::suited(shape))))
    }

    /// The preset that was named.
    pub fn named_preset(&self) -> Result<Option<Preset>> {
        Ok(self.preset.as_ref().map(|name| name.parse()).transpose()?)
    }

    /// Reads the headers of the data that `config` names, and fits the preset to it, if there is one, without
    /// values from other flags. Images of several sizes are resized to that of a convolutional preset which
    /// was named.
    pub fn fit(
        &self,
        config: &mut Config,
        memory: Option<u64>,
    ) -> Result<(Survey, Option<Fitted>)> {
        let named = self.named_preset()?;
        let (survey, resized) =
            match (config.data.survey(memory), named.filter(|preset| preset.is_fitted())) {
                (Err(Error::MixedSizes { .. }), Some(preset)) => {
                    let ImageShape { width, height, .. } = preset.shape();
                    config.data.size = Some((width, height));
                    (config.data.survey(memory)?, true)
                }
                (survey, _) => (survey?, false),
            };
        let shape = survey.shape;
        let Some(preset) = self.preset(shape)? else { return Ok((survey, None)) };
        let fitted = preset.config_for(shape);
        (config.model, config.train) = (fitted.model, fitted.train);
        Ok((survey, Some(Fitted { preset, is_named: named.is_some(), resized })))
    }

    /// The model's file, or `preset` and its name, for messages.
    pub fn name(&self) -> PathBuf {
        let preset = || format!("preset {}", self.preset.as_deref().unwrap_or("mlp")).into();
        self.config.clone().unwrap_or_else(preset)
    }
}

/// The preset that was fitted to the data.
pub struct Fitted {
    pub preset: Preset,
    /// Whether it was named, and not chosen by the data.
    pub is_named: bool,
    /// Whether the images were resized for it, since they are of several sizes.
    pub resized: bool,
}

impl Fitted {
    /// The preset in words, for images of `shape`.
    pub fn words(&self, shape: ImageShape) -> String {
        let name = self.preset.name();
        if self.resized {
            return format!("{name} for {shape}, to which the images are resized (see --size)");
        }
        match (self.is_named, self.preset.is_fitted()) {
            (false, true) => format!("{name} for {shape}, since the images are in colour"),
            (true, true) => format!("{name} for {shape}"),
            (_, false) => name.into(),
        }
    }
}

/// Takes the size and the channels of a preset's own images out of `data`, so that the data have
/// their own.
pub fn free(data: &mut DataConfig) {
    (data.size, data.channels) = (None, None);
}

/// The shape and the number of the images in the folder `data`, or otherwise in the folder that
/// `config` names; if it names none, the shape that it states.
pub fn images(config: &Config, data: Option<&Path>) -> Result<(ImageShape, Option<usize>)> {
    let mut from = config.data.clone();
    from.path = data.map_or(from.path, PathBuf::from);
    if from.is_builtin() {
        return Ok((from.stated_shape()?, None));
    }
    let survey = from.survey(None)?;
    Ok((survey.shape, Some(survey.train + survey.test.unwrap_or(0))))
}

/// Prefixes an error with `what`, the file or preset that describes the model.
pub fn named(what: impl AsRef<Path>) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::Usage(format!("{}: {}", what.as_ref().display(), worded(&error)))
}
