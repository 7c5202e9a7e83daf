//! Configuration: what to build, how to train it, on what.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ScheduleConfig;
use crate::data::{Dataset, ReadOptions};
use crate::error::{Error, Result};
use crate::ops::optimizer::Rule;
use crate::ops::{activation, likelihood};

/// Everything needed to train a model again. In TOML, `[model]`, `[train]` and `[data]`; keys that
/// are left out take the values of the preset `mlp`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The network and its objective.
    pub model: ModelConfig,
    /// The loop.
    pub train: TrainConfig,
    /// The dataset.
    pub data: DataConfig,
}

/// A fully connected encoder and decoder, and the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Widths of the encoder's hidden layers.
    pub encoder: Vec<usize>,
    /// Number of latent variables.
    pub latent: usize,
    /// Widths of the decoder's hidden layers.
    pub decoder: Vec<usize>,
    /// After every hidden layer: one of [`activation::NAMES`].
    pub activation: String,
    /// One of [`likelihood::NAMES`].
    pub likelihood: String,
    /// After the decoder's last layer: `none`, or one of [`activation::NAMES`]; for the Bernoulli
    /// likelihood, which takes logits, `none`.
    pub output_activation: String,
    /// Weight β of the KL divergence.
    pub kl_weight: f64,
}

/// The training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the dataset.
    pub epochs: u32,
    /// Images in a step; the last of an epoch may have fewer.
    pub batch_size: usize,
    /// Step size of the optimizer.
    pub learning_rate: f64,
    /// Of the initial weights, the shuffle, the noise and the held-out images; below 2⁶³, which is
    /// what TOML can hold.
    pub seed: u64,
    /// Epochs, or parts of one, over which the learning rate grows, step by step, to what it would
    /// be without; it multiplies whatever `schedule` has.
    #[serde(skip_serializing_if = "is_default")]
    pub warmup_epochs: f64,
    /// Share of the learning rate that the first step of the warm-up has.
    #[serde(skip_serializing_if = "is_start")]
    pub warmup_start: f64,
    /// Most that the norm of all gradients may be; they are scaled down to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Update rule.
    #[serde(skip_serializing_if = "is_default")]
    pub optimizer: Rule,
    /// Course of the learning rate.
    #[serde(skip_serializing_if = "is_default")]
    pub schedule: ScheduleConfig,
}

/// What is left out where a configuration is written, since few have it.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_start(value: &f64) -> bool {
    *value == TrainConfig::default().warmup_start
}

/// The dataset and how to read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `digits` for the built-in dataset, or a folder.
    pub path: PathBuf,
    /// Resize images to (width, height).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(usize, usize)>,
    /// Convert images to 1 or 3 channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Fraction of the training images to hold out as the test split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            encoder: vec![400],
            latent: 20,
            decoder: vec![400],
            activation: "relu".into(),
            likelihood: "bernoulli".into(),
            output_activation: "none".into(),
            kl_weight: 1.0,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            learning_rate: 1e-3,
            seed: 1,
            warmup_epochs: 0.0,
            warmup_start: 0.01,
            clip_norm: None,
            optimizer: Rule::default(),
            schedule: ScheduleConfig::default(),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { path: "digits".into(), size: None, channels: None, validation: None }
    }
}

impl Config {
    /// Reads and checks a TOML file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::Usage`] naming file, line and key when it
    /// is not a configuration.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses and checks TOML; `name` stands for its file in messages.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming file, line and key.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            Error::Usage(format!("{name}:{line}: {}", e.message().replace('\n', " ")))
        })?;
        config.check().map_err(|e| Error::Usage(format!("{name}: {e}")))?;
        Ok(config)
    }

    /// The same as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration can be written as TOML")
    }

    /// Fails on a value that cannot be.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming the key.
    pub fn check(&self) -> Result<()> {
        let TrainConfig { epochs, batch_size, learning_rate, seed, .. } = self.train;
        require(epochs > 0, "epochs (--epochs) = 0", "must be at least 1")?;
        require(batch_size > 0, "batch_size (--batch-size) = 0", "must be at least 1")?;
        require(
            learning_rate.is_finite() && learning_rate > 0.0,
            &format!("learning_rate (--lr) = {learning_rate}"),
            "must be a positive number, as in 1e-3",
        )?;
        require(
            i64::try_from(seed).is_ok(),
            &format!("seed (--seed) = {seed}"),
            "must be below 9223372036854775808",
        )?;
        self.train.check_updates()?;
        self.model.check()
    }
}

impl DataConfig {
    /// How to read it.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { size: self.size, channels: self.channels }
    }

    /// Reads the dataset, without holding anything out.
    ///
    /// # Errors
    ///
    /// As [`Dataset::read`].
    pub fn read(&self) -> Result<Dataset> {
        if !self.is_builtin() {
            return Dataset::read(&self.path, &self.options());
        }
        let flags = [("--size", self.size.is_some()), ("--channels", self.channels.is_some())];
        for (flag, given) in flags {
            require(!given, flag, "is for image folders, not for the built-in digits")?;
        }
        Ok(Dataset::digits())
    }

    /// Whether it is the dataset that the program makes itself.
    pub fn is_builtin(&self) -> bool {
        // To the letter: `digits/` is a folder.
        self.path.as_os_str() == "digits"
    }
}

impl ModelConfig {
    pub(super) fn check(&self) -> Result<()> {
        let latent = format!("latent = {}", self.latent);
        require(UNITS.contains(&self.latent), &latent, "must be 1 to 16777216")?;
        for (key, widths) in [("encoder", &self.encoder), ("decoder", &self.decoder)] {
            let what = format!("{key} = {widths:?}");
            let fit = widths.iter().all(|w| UNITS.contains(w));
            require(fit, &what, "a layer must have 1 to 16777216 units")?;
        }
        one_of("activation", &self.activation, &activation::NAMES)?;
        one_of("likelihood", &self.likelihood, &likelihood::NAMES)?;
        if self.output_activation != "none" {
            one_of("output_activation", &self.output_activation, &activation::NAMES)?;
            require(
                self.likelihood != "bernoulli",
                &format!("output_activation = \"{}\"", self.output_activation),
                "the bernoulli likelihood takes logits: use \"none\"",
            )?;
        }
        require(
            self.kl_weight.is_finite() && self.kl_weight >= 0.0,
            &format!("kl_weight = {}", self.kl_weight),
            "must be a number from 0 up",
        )
    }
}

/// Units that a layer may have: no adapter holds more, and products of two stay within 64 bits.
const UNITS: std::ops::RangeInclusive<usize> = 1..=1 << 24;

pub(super) fn require(holds: bool, what: &str, message: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Usage(format!("{what}: {message}"))) }
}

fn one_of(key: &str, value: &str, names: &[&str]) -> Result<()> {
    let message = format!("must be one of {}", names.join(", "));
    require(names.contains(&value), &format!("{key} = \"{value}\""), &message)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_is_the_preset_mlp() {
        assert_eq!(super::Config::default(), crate::Preset::Mlp.config());
    }
}
