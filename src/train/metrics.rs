//! What is known of an epoch.

use serde::{Deserialize, Serialize};

use crate::model::{KlSchedule, ModelConfig};

/// Means over a split's images, in nats per image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// The objective as it is once its schedules have run: recon + β · kl, which is the negative
    /// evidence lower bound at β = 1; with free bits or a capacity, what they make of it.
    pub loss: f64,
    /// Reconstruction: the negative log-likelihood of the pixels.
    pub recon: f64,
    /// KL divergence of the posterior from the prior, unweighted.
    pub kl: f64,
    /// The same for each latent variable.
    pub unit_kl: Vec<f64>,
    /// Latent variables that depend on the image: the posterior's mean has a variance above
    /// [`ACTIVE`] over the images (Burda 2016, section 5.2).
    pub active_units: usize,
}

/// Variance of the posterior's mean from which a latent variable counts as active.
pub const ACTIVE: f64 = 0.01;

impl Losses {
    /// From the mean reconstruction loss and, for each latent variable, the means of its KL
    /// divergence, of the posterior's mean and of that squared (3, latent).
    pub fn new(config: &ModelConfig, recon: f64, units: &[f64]) -> Self {
        let latent = config.latent;
        let (unit_kl, means) = units.split_at(latent);
        let (means, squares) = means.split_at(latent);
        let variances = means.iter().zip(squares).map(|(mean, square)| square - mean * mean);
        let kl: f64 = unit_kl.iter().sum();
        let cost = match config.kl_schedule {
            Some(KlSchedule::Capacity { nats, .. }) => (kl - nats).abs(),
            _ => unit_kl.iter().map(|kl| kl.max(config.free_bits)).sum(),
        };
        let loss = if config.variational { recon + config.kl_weight * cost } else { recon };
        Self {
            loss,
            recon,
            kl,
            unit_kl: unit_kl.to_vec(),
            active_units: variances.filter(|variance| *variance > ACTIVE).count(),
        }
    }
}

/// One epoch, as a line of `metrics.jsonl` has it. Losses are in nats per image; those of training
/// are means over the epoch while the weights moved, those of validation follow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: u32,
    /// Steps since the beginning.
    pub step: u32,
    /// Wall time of its training steps, without the evaluation.
    pub seconds: f64,
    /// Loss on the training split.
    pub train_loss: f64,
    /// Its reconstruction part.
    pub train_recon: f64,
    /// Its KL part, unweighted.
    pub train_kl: f64,
    /// Loss on the test split; null without one.
    pub val_loss: Option<f64>,
    /// Its reconstruction part.
    pub val_recon: Option<f64>,
    /// Its KL part, unweighted.
    pub val_kl: Option<f64>,
    /// KL part of each latent variable, on the test split if there is one.
    pub unit_kl: Vec<f64>,
    /// Latent variables that depend on the image: see [`Losses::active_units`].
    pub active_units: usize,
    /// β, in the last step; 0 of a plain autoencoder.
    pub kl_weight: f64,
    /// The likelihood's scale, if it is learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The optimizer's, in the last step.
    pub learning_rate: f64,
    /// Images trained on, by `seconds`.
    pub images_per_second: f64,
    /// Whether every image was used; false where training was stopped within the epoch.
    #[serde(skip)]
    pub complete: bool,
}

impl std::fmt::Display for EpochReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "epoch {}: train {:.2}", self.epoch, self.train_loss)?;
        if let Some(loss) = self.val_loss {
            write!(f, ", test {loss:.2}")?;
        }
        write!(f, " nats per image")
    }
}
