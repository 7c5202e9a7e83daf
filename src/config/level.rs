//! Stochastic layers above the first.

use serde::{Deserialize, Serialize};

use super::optimizer::{FROM_ZERO, check};
use super::{KlSchedule, ModelConfig, require};
use crate::error::{Error, Result, shown};
use crate::nn::{Chain, LayerSpec};

/// Latent variables above others, whose prior they give (Burda et al. 2016, section 5.1: their second
/// stochastic layer).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct LevelConfig {
    /// Number of latent variables.
    pub latent: usize,
    /// Weight of the level's KL divergence.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub kl_weight: f64,
    /// Schedule of that weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl_schedule: Option<KlSchedule>,
    /// Layers from the latent variables below to the features from which these are computed.
    pub encoder: Vec<LayerSpec>,
    /// Layers from these to the features from which the prior of those below is computed.
    pub decoder: Vec<LayerSpec>,
}

fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// The prior of the latent variables that have none above them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Standard normals.
    #[default]
    Normal,
    /// Laplace distributions around 0 of scale 1, which favour values near 0 (Barello et al. 2018).
    Laplace,
}

impl ModelConfig {
    pub(super) fn check_levels(&self) -> Result<()> {
        if !self.is_deep() {
            return Ok(());
        }
        let message = "has no latent distribution: leave out levels and prior";
        require(self.variational, "variational", false, message)?;
        let key = if self.levels.is_empty() { "prior" } else { "levels" };
        let message = format!(
            "does not go with {key}, whose divergence is known for each sample alone: leave one out"
        );
        require(self.free_bits == 0.0, "free_bits", shown(self.free_bits), &message)?;
        let is_capacity =
            |schedule: &Option<KlSchedule>| matches!(schedule, Some(KlSchedule::Capacity { .. }));
        let mut schedules = self.levels.iter().map(|level| &level.kl_schedule);
        if is_capacity(&self.kl_schedule) || schedules.any(is_capacity) {
            return Err(Error::config("kl_schedule", "capacity", &message));
        }
        for (i, level) in self.levels.iter().enumerate() {
            let key = |name: &str| format!("levels.{i}.{name}");
            let is_latent = (1..=65_535).contains(&level.latent);
            require(is_latent, &key("latent"), level.latent, "must be 1 to 65535")?;
            check(&key("kl_weight"), level.kl_weight, FROM_ZERO)?;
            level.kl_schedule.as_ref().map_or(Ok(()), KlSchedule::check)?;
            Chain::check(&key("encoder"), &level.encoder)?;
            Chain::check(&key("decoder"), &level.decoder)?;
        }
        Ok(())
    }
}
