//! What is known of an epoch.

use serde::{Deserialize, Serialize};

/// Means over a split's images, in nats per image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// recon + β · kl: the negative evidence lower bound at β = 1.
    pub loss: f64,
    /// Reconstruction: the negative log-likelihood of the pixels.
    pub recon: f64,
    /// KL divergence of the posterior from the prior, unweighted.
    pub kl: f64,
}

impl Losses {
    /// From its parts.
    pub fn new(recon: f64, kl: f64, kl_weight: f64) -> Self {
        Self { loss: recon + kl_weight * kl, recon, kl }
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
