//! Pictures from a model: samples of the prior, and reconstructions.

use super::Vae;
use crate::data::Images;
use crate::error::{Error, Result};
use crate::gpu::{Plan, Tensor};
use crate::ops::{State, Stream, noise};

/// Images drawn at once.
const BLOCK: usize = 256;

impl Vae {
    /// `count` new images: the mean of the likelihood for draws from the prior, of seed 0.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample(&self, count: usize) -> Result<Images> {
        self.sample_seeded(count, 0)
    }

    /// As [`Vae::sample`], with draws that are a function of `seed`. Image i is the same whatever
    /// the count.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] if the adapter fails.
    pub fn sample_seeded(&self, count: usize, seed: u64) -> Result<Images> {
        let gpu = self.gpu();
        let latent = self.config().latent;
        let state = State::tensor(gpu, "state");
        let block = Tensor::zeros(gpu, "prior", &[BLOCK, latent]);
        let mut prior = Plan::new(gpu);
        noise::normal(&mut prior, "prior", seed, Stream::Sample, &state, &block);

        let mut decoder = self.plan();
        let z = decoder.matrix(&[self.rows_at_once(count), latent]);
        let mean = self.decode(&mut decoder, &z);
        let mut pixels = Vec::new();
        for first in (0..count).step_by(BLOCK) {
            State { step: (first / BLOCK) as u32, ..State::default() }.write(gpu, &state);
            prior.run();
            let draws: Vec<f32> = block.read(gpu)?;
            let wanted = (count - first).min(BLOCK) * latent;
            for draws in draws[..wanted].chunks(z.len()) {
                let mut values = draws.to_vec();
                values.resize(z.len(), 0.0);
                z.write(gpu, &values);
                decoder.run();
                let made = draws.len() / latent * self.shape().pixels();
                pixels.extend(quantise(&mean.read(gpu)?[..made]));
            }
        }
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Images of `count` to decode at once: a block, or as many as fit the adapter.
    fn rows_at_once(&self, count: usize) -> usize {
        let fit = self.gpu().report().max_binding_bytes / self.row_bytes();
        count.min(BLOCK).min(fit as usize).max(1)
    }

    /// What the model makes of `images`: encoded to the mean of the posterior, without noise, and
    /// decoded to the mean of the likelihood.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when the images are not of the model's shape, [`Error::Gpu`] if the
    /// adapter fails.
    pub fn reconstruct(&self, images: &Images) -> Result<Images> {
        self.check_shape(images)?;
        let gpu = self.gpu();
        let rows = self.rows_at_once(images.len());
        let mut pixels = Vec::new();
        for batch in images.pixels.chunks(rows * self.shape().pixels()) {
            let rows = batch.len() / self.shape().pixels();
            let values: Vec<f32> = batch.iter().map(|&p| f32::from(p) / 255.0).collect();
            let mut plan = self.plan();
            let x = plan.matrix(&[rows, self.shape().pixels()]);
            let z = self.posterior_mean(&mut plan, &x);
            let mean = self.decode(&mut plan, &z);
            x.write(gpu, &values);
            plan.run();
            pixels.extend(quantise(&mean.read(gpu)?));
        }
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Fails unless `images` have the model's shape.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming both shapes.
    pub fn check_shape(&self, images: &Images) -> Result<()> {
        if images.shape == self.shape() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "the model takes images of {} (width x height x channels), and the dataset has {}: \
             choose another --data, or --size and --channels",
            self.shape(),
            images.shape
        )))
    }
}

/// Values in [0, 1] as bytes; those beyond are clamped.
fn quantise(values: &[f32]) -> impl Iterator<Item = u8> {
    values.iter().map(|v| (v * 255.0).round() as u8)
}
