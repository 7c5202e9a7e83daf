//! Pictures from a model: samples of the prior, and reconstructions.

use super::Vae;
use crate::data::Images;
use crate::error::{Error, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::Shape;
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
    /// [`Error::Usage`] when the model is a plain autoencoder, [`Error::Gpu`] if the adapter fails.
    pub fn sample_seeded(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, false)
    }

    /// As [`Vae::sample_seeded`], with pixels drawn from the likelihood too, where the others show its
    /// mean.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample_drawn(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, true)
    }

    fn generate(&self, count: usize, seed: u64, draw: bool) -> Result<Images> {
        if !self.config().variational {
            let message = "the model is a plain autoencoder, which has no prior to draw from; see \
                           what it makes of images with `reconstruct`";
            return Err(Error::Usage(message.into()));
        }
        let gpu = self.gpu();
        let latent = self.config().latent;
        let state = State::tensor("state");
        let block = Tensor::zeros("prior", &[BLOCK, latent]);
        let mut prior = Recording::new(gpu.report());
        noise::normal(&mut prior, "prior", seed, Stream::Sample, &state, &block);

        let mut decoder = self.recording();
        let z = decoder.matrix(&[self.rows_at_once(count), latent]);
        // What the pixels' draws depend on, beside their place: the first image decoded with them.
        let place = State::tensor("place");
        let made = self.decode(&mut decoder, &z, draw.then_some((seed, &place)));
        let (prior, decoder) = (prior.compile(gpu), decoder.compile(gpu));
        let mut pixels = Vec::new();
        for first in (0..count).step_by(BLOCK) {
            State { step: (first / BLOCK) as u32, ..State::default() }.write(gpu, &state);
            prior.run();
            let draws: Vec<f32> = block.read(gpu)?;
            let wanted = (count - first).min(BLOCK) * latent;
            for (i, draws) in draws[..wanted].chunks(z.len()).enumerate() {
                let mut values = draws.to_vec();
                values.resize(z.len(), 0.0);
                z.write(gpu, &values);
                let step = (first + i * z.rows()) as u32;
                State { step, ..State::default() }.write(gpu, &place);
                decoder.run();
                pixels.extend(self.pixels(&made, draws.len() / latent)?);
            }
        }
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Images of `count` to decode at once: a block, or as many as fit the adapter.
    fn rows_at_once(&self, count: usize) -> usize {
        let fit = self.gpu().report().max_binding_bytes / self.network().bytes().max(1);
        count.min(BLOCK).min(fit as usize).max(1)
    }

    /// The first `rows` images of `mean`, which is laid out as the decoder's output, as bytes.
    fn pixels(&self, mean: &Tensor, rows: usize) -> Result<Vec<u8>> {
        let values: Vec<f32> = mean.read(self.gpu())?;
        let bytes = quantise(&values[..rows * self.shape().pixels()]);
        let Shape::Map { channels, .. } = self.network().decoder.output() else {
            return Ok(bytes.collect());
        };
        // Channels come last on the adapter, and first in images.
        let bytes: Vec<u8> = bytes.collect();
        let image = |image: &[u8]| {
            let plane = |c| image.iter().skip(c).step_by(channels).copied().collect::<Vec<u8>>();
            (0..channels).flat_map(plane).collect::<Vec<u8>>()
        };
        Ok(bytes.chunks(self.shape().pixels()).flat_map(image).collect())
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
            let mut plan = self.recording();
            let (x, z) = self.posterior_mean(&mut plan, rows);
            let mean = self.decode(&mut plan, &z, None);
            x.write(gpu, &self.values(batch));
            plan.compile(gpu).run();
            pixels.extend(self.pixels(&mean, rows)?);
        }
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Pixels as the encoder takes them.
    fn values(&self, pixels: &[u8]) -> Vec<f32> {
        let value = |pixel: u8| f32::from(pixel) / 255.0;
        let Shape::Map { channels, extent } = self.network().input else {
            return pixels.iter().map(|&pixel| value(pixel)).collect();
        };
        let places = extent.height * extent.width;
        let place = |image: &[u8], place: usize| -> Vec<f32> {
            image[place..].iter().step_by(places).map(|&pixel| value(pixel)).collect()
        };
        let image =
            |image: &[u8]| -> Vec<f32> { (0..places).flat_map(|p| place(image, p)).collect() };
        pixels.chunks(channels * places).flat_map(image).collect()
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
