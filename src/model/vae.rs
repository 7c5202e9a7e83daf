//! A model on an adapter.

use std::sync::Arc;

use super::network::LONGEST_SUM;
use super::{Model, Network, Phase, Step};
use crate::config::ModelConfig;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu, Recording};
use crate::nn::{Parameters, Weights};
use crate::ops::likelihood::SCALES;
use crate::ops::matmul::{Problem, Product};
use crate::ops::tune::{self, Tune, Tuned};

/// A variational autoencoder (Kingma and Welling 2013) with its parameters on the adapter; a plain
/// autoencoder where its configuration says so.
pub struct Vae {
    gpu: Gpu,
    network: Network,
    choices: Arc<Choices>,
}

impl Vae {
    /// A model for images of `shape`, initialised as PyTorch does from `seed`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Config`] or [`crate::Error::Layer`] when the configuration cannot be,
    /// [`crate::Error::TooLarge`] when the
    /// parameters do not fit the adapter.
    pub fn new(gpu: &Gpu, config: &ModelConfig, shape: ImageShape, seed: u64) -> Result<Self> {
        let vae = Self::uninitialised(gpu, config, shape)?;
        vae.network.weights().initialise(gpu, seed);
        Ok(vae)
    }

    pub(super) fn uninitialised(
        gpu: &Gpu,
        config: &ModelConfig,
        shape: ImageShape,
    ) -> Result<Self> {
        config.check()?;
        let network = Network::new(config, shape)?;
        if let (Some(label), true) = (network.too_deep(), gpu.report().is_software()) {
            return Err(Error::Gpu(format!(
                "{label}: sums of more than {LONGEST_SUM} terms come out wrong on the software adapter \
                 {}; use smaller layers, or a GPU",
                gpu.report().label()
            )));
        }
        network.check_parameters(gpu.report())?;
        Ok(Self { gpu: gpu.clone(), network, choices: Arc::new(Choices::new(gpu.report())) })
    }

    /// The adapter it is on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Its layers.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Finds the fastest variants of its kernels for batches of `batch`, and takes them: see
    /// [`crate::ops::tune`].
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn tune(
        &mut self,
        level: Tune,
        batch: usize,
        found: impl FnMut(&Problem, Product, &Tuned),
    ) -> Result<()> {
        let problems = self.network.problems();
        let choices = tune::tune(&self.gpu, level, batch, &problems, None, found)?;
        self.choices = Arc::new(choices);
        Ok(())
    }

    /// The variants of its kernels.
    pub fn choices(&self) -> &Arc<Choices> {
        &self.choices
    }

    /// An empty recording for its kernels.
    pub fn recording(&self) -> Recording {
        Recording::with_choices(self.gpu.report(), &self.choices)
    }

    /// The configuration that it was built from.
    pub fn config(&self) -> &ModelConfig {
        self.network.config()
    }

    /// Shape of the images it takes and makes.
    pub fn shape(&self) -> ImageShape {
        self.network.shape()
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.network.weights().parameters
    }

    /// Its layers' running statistics, which gradients do not change.
    pub fn statistics(&self) -> &Parameters {
        &self.network.weights().statistics
    }

    /// The likelihood's scale as learnt so far; nothing where it is not learnt.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn scale(&self) -> Result<Option<f64>> {
        let Some(log_scale) = self.network.log_scale() else { return Ok(None) };
        let [log_scale] = log_scale.read::<f32>(&self.gpu)?[..] else { unreachable!("it is one") };
        Ok(Some(f64::from(log_scale).exp().clamp(*SCALES.start(), *SCALES.end())))
    }
}

impl Model for Vae {
    fn weights(&self) -> &Weights {
        self.network.weights()
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        self.network.record(step)
    }

    fn problems(&self) -> Vec<Problem> {
        self.network.problems()
    }

    /// Takes `choices` for the kernels of the plans made from now on.
    fn set_choices(&mut self, choices: &Arc<Choices>) {
        self.choices = choices.clone();
    }

    fn units(&self) -> usize {
        self.network.units()
    }

    fn figures(&self, _: &Gpu) -> Result<Vec<(String, f64)>> {
        Ok(self.scale()?.map(|scale| ("scale".into(), scale)).into_iter().collect())
    }

    fn described(&self) -> Option<(&ModelConfig, ImageShape)> {
        Some((self.config(), self.shape()))
    }
}
