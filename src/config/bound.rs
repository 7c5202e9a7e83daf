//! The bound that is maximized, and the estimator of its gradient.

use serde::{Deserialize, Serialize};

use super::{LARGEST_BATCH, ModelConfig, Prior, require};
use crate::error::{Error, Result, shown};

/// The lower bound of the log-likelihood that training maximizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The evidence lower bound (Kingma and Welling 2013), averaged over the samples.
    #[default]
    Elbo,
    /// The importance-weighted bound of all samples together (Burda et al. 2016, equation 8).
    Iwae,
}

/// The estimator of the gradient by the encoder's parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gradient {
    /// Through the reparameterized samples and the density of the posterior (Burda et al. 2016).
    #[default]
    Reparameterized,
    /// Doubly reparameterized (Tucker et al. 2018, equation 8): its signal does not vanish as samples are
    /// added.
    Dreg,
}

impl ModelConfig {
    /// Whether a step takes its terms from the densities of samples, rather than from the plain bound's
    /// own kernels.
    pub fn is_sampled(&self) -> bool {
        self.samples > 1 || self.bound == Bound::Iwae || self.is_deep()
    }

    /// Whether the divergence has no kernel of its own: latent variables have others above them, or another
    /// prior than the standard normal one.
    pub fn is_deep(&self) -> bool {
        !self.levels.is_empty() || self.prior != Prior::Normal
    }

    pub(super) fn check_bound(&self) -> Result<()> {
        let Self { samples, bound, gradient, .. } = *self;
        let message = format!("must be a whole number from 1 to {LARGEST_BATCH}");
        require((1..=LARGEST_BATCH).contains(&samples), "samples", samples, &message)?;
        let is_plain = samples == 1 && bound == Bound::Elbo && gradient == Gradient::default();
        let message = "has no posterior to draw from: leave out samples, bound and gradient";
        require(self.variational || is_plain, "variational", false, message)?;
        if gradient == Gradient::Dreg && bound != Bound::Iwae {
            let message = "goes with bound = \"iwae\" alone: set it, or leave gradient out";
            return Err(Error::config("gradient", "dreg", message));
        }
        if gradient == Gradient::Dreg && !self.levels.is_empty() {
            let message =
                "does not go with levels, whose posteriors depend on samples: leave one out";
            return Err(Error::config("gradient", "dreg", message));
        }
        if bound == Bound::Iwae {
            let message =
                "does not go with bound = \"iwae\", which has no KL divergence: leave one out";
            let weight = self.kl_weight;
            require(weight == 1.0, "kl_weight", shown(weight), message)?;
            require(self.free_bits == 0.0, "free_bits", shown(self.free_bits), message)?;
            for level in &self.levels {
                let weight = level.kl_weight;
                require(weight == 1.0, "levels.kl_weight", shown(weight), message)?;
            }
            let mut levels = self.levels.iter();
            if self.kl_schedule.is_some() || levels.any(|level| level.kl_schedule.is_some()) {
                return Err(Error::config("kl_schedule", "a schedule", message));
            }
        }
        Ok(())
    }
}
