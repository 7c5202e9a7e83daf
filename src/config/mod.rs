//! Configurations of the model, its training and its dataset; and the presets, which come with the
//! program.
//!
#![doc = include_str!("../../docs/configuration.md")]

mod bound;
mod condition;
mod dataset;
mod fit;
mod level;
mod named;
mod objective;
mod optimizer;
mod parse;
mod path;
mod preset;
mod text;

pub use crate::data::Binarize;
pub use crate::ops::gather::Corruption;
pub use crate::ops::likelihood::{Likelihood, Scale};
pub use crate::ops::optimizer::Rule;
pub use bound::{Bound, Gradient};
pub use condition::Condition;
pub use dataset::DataConfig;
pub use level::{LevelConfig, Prior};
pub use objective::KlSchedule;
pub use optimizer::{ScheduleConfig, check_optimizer};
#[doc(hidden)]
pub use path::{at_home, can_be_written, is_inherited};
pub use preset::Preset;
pub(crate) use text::read as read_text;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shown};
use crate::nn::{Chain, LayerSpec, Setting};
use crate::ops::activation::Activation;

/// A configuration with everything that is needed to train a model again. In TOML it has the tables
/// `[model]`, `[train]` and `[data]`; keys that are left out take the values of the preset `mlp`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Config {
    /// The network and its objective.
    pub model: ModelConfig,
    /// The training loop.
    pub train: TrainConfig,
    /// The dataset, for who reads it: [`DataConfig::read`]. A [`crate::Trainer`] is given it.
    pub data: DataConfig,
}

/// Encoder and decoder, layer by layer, and the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct ModelConfig {
    /// Number of latent variables.
    pub latent: usize,
    /// Distribution of the pixels, whose negative log-likelihood is the reconstruction loss.
    pub likelihood: Likelihood,
    /// Weight β of the KL divergence.
    pub kl_weight: f64,
    /// Schedule of the KL divergence's weight, or a capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_schedule: Option<KlSchedule>,
    /// Nats of KL divergence for each latent variable that cost nothing (Kingma 2016).
    #[serde(skip_serializing_if = "is_zero")]
    pub free_bits: f64,
    /// Whether latent variables are drawn from a posterior, with a KL divergence; otherwise the
    /// model is a plain autoencoder.
    #[serde(skip_serializing_if = "is_true")]
    pub variational: bool,
    /// Corruption of the input, whose original a denoising autoencoder learns to restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corruption: Option<Corruption>,
    /// How grey pixels become black or white.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binarize: Option<Binarize>,
    /// The column of classes that encoder and decoder are given as well.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "condition::condition")]
    pub condition: Option<Condition>,
    /// Draws k of the latent variables for each image of a step.
    #[serde(skip_serializing_if = "is_one")]
    pub samples: usize,
    /// The lower bound of the log-likelihood that is maximized.
    #[serde(skip_serializing_if = "is_default")]
    pub bound: Bound,
    /// The estimator of its gradient by the encoder's parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub gradient: Gradient,
    /// Layers from the pixels to the features from which the latent variables are computed.
    pub encoder: Vec<LayerSpec>,
    /// Layers from the latent variables to the pixels.
    pub decoder: Vec<LayerSpec>,
    /// The prior of the latent variables that have none above them.
    #[serde(skip_serializing_if = "is_default")]
    pub prior: Prior,
    /// Latent variables above these, each level above the one before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelConfig>,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

fn is_true(value: &bool) -> bool {
    *value
}

/// The most rows of a batch: the sizes of what is recorded for them stay within 64 bits, and no adapter
/// holds them.
pub const LARGEST_BATCH: usize = 1 << 24;

/// The largest seed that TOML can write.
pub const LARGEST_SEED: u64 = i64::MAX as u64;

/// The training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct TrainConfig {
    /// Number of passes over the dataset.
    pub epochs: u32,
    /// Number of images in a step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// Learning rate of the optimizer.
    pub learning_rate: f64,
    /// Seed of the initial weights, the shuffle, the noise and the held-out images; below 2⁶³,
    /// which is the limit of TOML.
    pub seed: u64,
    /// Length of the warm-up in epochs, in which a factor of the learning rate grows, step by step,
    /// to 1; it multiplies the rate of `schedule`.
    #[serde(skip_serializing_if = "is_default")]
    pub warmup_epochs: f64,
    /// Factor of the learning rate in the first step of the warm-up.
    #[serde(skip_serializing_if = "is_start")]
    pub warmup_start: f64,
    /// Most that the norm of all gradients of a phase may be; they are scaled down to it, those of a phase
    /// with an optimizer of its own included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Update rule of the optimizer.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "named::named")]
    pub optimizer: Rule,
    /// Course of the learning rate.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "named::named")]
    pub schedule: ScheduleConfig,
}

/// Whether a key has its default, with which it is left out of written configurations.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_start(value: &f64) -> bool {
    *value == TrainConfig::default().warmup_start
}

impl Default for ModelConfig {
    fn default() -> Self {
        let linear = |size| LayerSpec::new("linear", size);
        let hidden = || vec![linear(Setting::Integer(400)), LayerSpec::new("relu", None)];
        Self {
            latent: 20,
            likelihood: Likelihood::Bernoulli,
            kl_weight: 1.0,
            kl_schedule: None,
            free_bits: 0.0,
            variational: true,
            corruption: None,
            binarize: None,
            condition: None,
            samples: 1,
            bound: Bound::Elbo,
            gradient: Gradient::Reparameterized,
            encoder: hidden(),
            decoder: [hidden(), vec![linear(Setting::Text("image".into()))]].concat(),
            prior: Prior::Normal,
            levels: Vec::new(),
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

impl Config {
    /// Fails on an invalid value.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] naming the key, [`Error::Layer`] naming the layer.
    pub fn check(&self) -> Result<()> {
        let TrainConfig { epochs, batch_size, learning_rate, seed, .. } = self.train;
        let message = format!("must be a whole number from 1 to {}", u32::MAX);
        require(epochs > 0, "epochs", epochs, &message)?;
        let message = format!("must be a whole number from 1 to {LARGEST_BATCH}");
        let is_batch = (1..=LARGEST_BATCH).contains(&batch_size);
        require(is_batch, "batch_size", batch_size, &message)?;
        let (_, is_positive) = optimizer::POSITIVE;
        let rate = ("must be a positive number, as in 1e-3", is_positive);
        optimizer::check("learning_rate", learning_rate, rate)?;
        let message = format!("must be a whole number from 0 to {LARGEST_SEED}");
        require(seed <= LARGEST_SEED, "seed", seed, &message)?;
        self.train.check_updates()?;
        self.model.check()
    }
}

impl ModelConfig {
    pub(crate) fn check(&self) -> Result<()> {
        // Each takes a workgroup, and a grid's side has so many at least.
        let is_latent = (1..=65_535).contains(&self.latent);
        require(is_latent, "latent", self.latent, "must be 1 to 65535")?;
        for (key, value) in [("kl_weight", self.kl_weight), ("free_bits", self.free_bits)] {
            optimizer::check(key, value, optimizer::FROM_ZERO)?;
        }
        self.likelihood.check()?;
        self.condition.as_ref().map_or(Ok(()), Condition::check)?;
        self.check_bound()?;
        self.check_levels()?;
        Chain::check("encoder", &self.encoder)?;
        Chain::check("decoder", &self.decoder)?;
        // An activation before layers that only move values is still the last.
        let moves = ["reshape", "flatten", "upsample", "pixel_shuffle"];
        let last = self.decoder.iter().rev().find(|layer| !moves.contains(&layer.name.as_str()));
        let last = last.and_then(|layer| layer.name.parse::<Activation>().ok());
        if let (Some(last), true) = (last, self.likelihood.takes_logits()) {
            let why = "this likelihood takes logits: leave that layer out";
            let message = format!("its last layer is \"{}\": {why}", last.name());
            return Err(Error::layers("decoder", message));
        }
        if let Some(schedule) = &self.kl_schedule {
            schedule.check()?;
            let capacity = matches!(schedule, KlSchedule::Capacity { .. });
            let message = "does not go with a capacity: leave one out";
            let fits = !capacity || self.free_bits == 0.0;
            require(fits, "free_bits", shown(self.free_bits), message)?;
        }
        if !self.variational {
            let none = self.kl_schedule.is_none() && self.free_bits == 0.0;
            let message = "has no KL divergence: leave out kl_schedule and free_bits";
            require(none, "variational", false, message)?;
        }
        match self.corruption {
            Some(Corruption::Gaussian(spread)) => {
                let (_, is_amount) = optimizer::FROM_ZERO;
                let range = ("must be a standard deviation from 0 up", is_amount);
                optimizer::check("corruption.gaussian", spread, range)
            }
            Some(Corruption::Masking(share)) => {
                let is_share = (0.0..=1.0).contains(&share);
                let message = "must be a share from 0 to 1";
                require(is_share, "corruption.masking", shown(share), message)
            }
            None => Ok(()),
        }
    }
}

fn require(holds: bool, key: &str, value: impl std::fmt::Display, message: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(key, value, message)) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_is_the_preset_mlp() {
        assert_eq!(super::Config::default(), crate::Preset::MLP.config());
    }
}
