//! Configuration of the KL divergence's part in the objective.

use serde::{Deserialize, Serialize};

use super::optimizer::{FROM_ZERO, check};
use super::require;
use super::{LevelConfig, ModelConfig};
use crate::error::{Result, shown};
use crate::ops::latent::KlObjective;

/// The schedule of the KL divergence's weight β, or a capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KlSchedule {
    /// β rises linearly from 0 in this many epochs (Bowman 2016).
    Warmup(f64),
    /// β rises from 0 in each of several cycles (Fu 2019).
    Cyclical {
        /// Number of cycles over all epochs.
        cycles: u32,
        /// Share of a cycle in which β rises; for the rest it is constant.
        ramp: f64,
    },
    /// β is the weight of the KL divergence's distance from a capacity, which rises (Burgess 2018).
    Capacity {
        /// The capacity at the end of its rise from 0, in nats.
        nats: f64,
        /// Number of epochs in which it rises.
        epochs: f64,
    },
}

impl KlSchedule {
    pub(super) fn check(&self) -> Result<()> {
        let amount = |name: &str, value: f64| {
            let key = format!("kl_schedule.{name}");
            check(&key, value, FROM_ZERO)
        };
        match *self {
            Self::Warmup(epochs) => amount("warmup", epochs),
            Self::Cyclical { cycles, ramp } => {
                let key = "kl_schedule.cyclical.cycles";
                require(cycles > 0, key, cycles, "must be at least 1")?;
                let key = "kl_schedule.cyclical.ramp";
                let is_share = (0.0..=1.0).contains(&ramp);
                require(is_share, key, shown(ramp), "must be a share from 0 to 1")
            }
            Self::Capacity { nats, epochs } => {
                amount("capacity.nats", nats)?;
                amount("capacity.epochs", epochs)
            }
        }
    }
}

impl ModelConfig {
    /// The objective's term for the KL divergence, in steps, if an epoch has `steps` steps and
    /// training `epochs` epochs. For a plain autoencoder, which has none, its weight is 0.
    pub fn kl_objective(&self, steps: usize, epochs: u32) -> KlObjective {
        if !self.variational {
            return KlObjective::weighted(0.0);
        }
        let objective = objective(self.kl_weight, self.kl_schedule.as_ref(), steps, epochs);
        KlObjective { free_bits: self.free_bits, ..objective }
    }
}

impl LevelConfig {
    /// The same for the level's divergence.
    pub fn kl_objective(&self, steps: usize, epochs: u32) -> KlObjective {
        objective(self.kl_weight, self.kl_schedule.as_ref(), steps, epochs)
    }
}

/// A weight with its schedule, in steps.
fn objective(weight: f64, schedule: Option<&KlSchedule>, steps: usize, epochs: u32) -> KlObjective {
    let of = |epochs: f64| (epochs * steps as f64).round().min(f64::from(u32::MAX)) as u32;
    let plain = KlObjective::weighted(weight);
    match schedule.cloned() {
        None => plain,
        Some(KlSchedule::Warmup(epochs)) => KlObjective { ramp: of(epochs), ..plain },
        Some(KlSchedule::Cyclical { cycles, ramp }) => {
            let cycle = f64::from(epochs) / f64::from(cycles);
            // Rounded up, so that no further cycle begins with the last steps.
            let period = (u64::from(epochs) * steps as u64).div_ceil(cycles.into());
            let period = period.clamp(1, u32::MAX.into()) as u32;
            KlObjective { ramp: of(ramp * cycle), period, ..plain }
        }
        Some(KlSchedule::Capacity { nats, epochs }) => {
            KlObjective { capacity: Some(nats), ramp: of(epochs), ..plain }
        }
    }
}
