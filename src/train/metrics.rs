//! Losses, and the report of an epoch.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::model::{KL, TermSpec};

/// Means over a split's images, in nats per image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// The objective as it is once its schedules have run: the weighted sum of the terms. For a VAE,
    /// recon + β · kl, which is the negative evidence lower bound at β = 1; with free bits or a
    /// capacity, what they make of it.
    pub loss: f64,
    /// Each term by its name, unweighted: for a VAE `recon`, the negative log-likelihood of the pixels,
    /// and `kl`, the divergence of the posterior from the prior.
    pub terms: Vec<(String, f64)>,
    /// The KL divergence of each latent variable, where it is known.
    pub unit_kl: Vec<f64>,
    /// Latent variables that depend on the image: the posterior's mean has a variance above
    /// [`ACTIVE`] over the images (Burda 2016, section 5.2).
    pub active_units: usize,
}

/// Variance of the posterior's mean from which a latent variable counts as active.
pub const ACTIVE: f64 = 0.01;

impl Losses {
    /// Whether all of them are finite numbers: a term that is not may be lost in a maximum.
    pub fn is_finite(&self) -> bool {
        let terms = self.terms.iter().map(|(_, value)| value);
        terms.chain(&self.unit_kl).chain([&self.loss]).all(|value| value.is_finite())
    }

    /// From the mean of each of `terms`, the KL divergence of each latent variable, and the variance of its
    /// posterior's mean.
    pub fn new(terms: &[TermSpec], sums: &[f64], unit_kl: &[f64], variances: &[f64]) -> Self {
        let mut losses = Self::default();
        for (TermSpec { name, weight, objective, is_of_units }, sum) in terms.iter().zip(sums) {
            let (value, cost) = match objective.filter(|_| *is_of_units) {
                Some(objective) => {
                    losses.unit_kl = unit_kl.to_vec();
                    let is_active = |variance: &&f64| **variance > ACTIVE;
                    losses.active_units = variances.iter().filter(is_active).count();
                    (losses.unit_kl.iter().sum(), objective.cost(&losses.unit_kl))
                }
                None => (*sum, weight * sum),
            };
            losses.terms.push((name.clone(), value));
            losses.loss += cost;
        }
        losses
    }

    /// The term called `name`, if there is one.
    pub fn term(&self, name: &str) -> Option<f64> {
        self.terms.iter().find(|(term, _)| term == name).map(|(_, value)| *value)
    }

    /// The KL divergence of all levels of latent variables together, if there are any.
    pub fn kl(&self) -> Option<f64> {
        let is_level = |name: &str| name.strip_prefix(KL).is_some_and(|end| end.starts_with('.'));
        let levels = self.terms.iter().filter(|(name, _)| is_level(name)).map(|(_, value)| *value);
        self.term(KL).or_else(|| levels.reduce(|sum, value| sum + value))
    }
}

/// Writes an object: the loss, each term by its name, and what is known of latent variables.
impl Serialize for Losses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("loss", &self.loss)?;
        self.terms.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        if !self.unit_kl.is_empty() {
            map.serialize_entry("unit_kl", &self.unit_kl)?;
            map.serialize_entry("active_units", &self.active_units)?;
        }
        map.end()
    }
}

/// One epoch, as a line of `metrics.jsonl` has it. Losses are in nats per image; those of training
/// are means over the epoch while the weights moved, those of the test split follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: u32,
    /// Steps since the beginning.
    pub step: u32,
    /// Wall time of its training steps, without the evaluation.
    pub seconds: f64,
    /// Losses on the training split.
    pub train: Losses,
    /// Losses on the test split, if there is one.
    pub test: Option<Losses>,
    /// Other figures of the model, by name: for a VAE `kl_weight`, β in the last step, which is 0 for a
    /// plain autoencoder, and `scale`, the likelihood's, if it is learnt.
    pub figures: Vec<(String, f64)>,
    /// The optimizer's, in the last step; with several phases, the last one's.
    pub learning_rate: f64,
    /// Images trained on, by `seconds`.
    pub images_per_second: f64,
    /// Whether every image was used; false where training was stopped within the epoch.
    pub complete: bool,
}

impl EpochReport {
    /// The losses on the test split, or else on the training split.
    pub fn test_or_train(&self) -> &Losses {
        self.test.as_ref().unwrap_or(&self.train)
    }

    /// The figure called `name`, if there is one.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(figure, _)| figure == name).map(|(_, value)| *value)
    }
}

/// Writes one flat object: `train_loss`, `train_recon`, …, `test_loss`, …, null without a test split.
impl Serialize for EpochReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("epoch", &self.epoch)?;
        map.serialize_entry("step", &self.step)?;
        map.serialize_entry("seconds", &self.seconds)?;
        for (split, losses) in [("train_", Some(&self.train)), ("test_", self.test.as_ref())] {
            map.serialize_entry(&format!("{split}loss"), &losses.map(|losses| losses.loss))?;
            for (name, _) in &self.train.terms {
                let value = losses.and_then(|losses| losses.term(name));
                map.serialize_entry(&format!("{split}{name}"), &value)?;
            }
        }
        if !self.train.unit_kl.is_empty() {
            map.serialize_entry("unit_kl", &self.test_or_train().unit_kl)?;
            map.serialize_entry("active_units", &self.test_or_train().active_units)?;
        }
        self.figures.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.serialize_entry("learning_rate", &self.learning_rate)?;
        map.serialize_entry("images_per_second", &self.images_per_second)?;
        map.end()
    }
}

impl std::fmt::Display for EpochReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "epoch {}: train {:.2}", self.epoch, self.train.loss)?;
        if let Some(test) = &self.test {
            write!(f, ", test {:.2}", test.loss)?;
        }
        write!(f, " nats per image")
    }
}
