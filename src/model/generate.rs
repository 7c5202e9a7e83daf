//! New images: draws from the prior, decoded.

use super::blocks::Ports;
use super::{Network, Vae};
use crate::data::Images;
use crate::error::{Error, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::Shape;
use crate::ops::noise;

/// Values of latent variables that are drawn from the prior at once.
const PRIOR: usize = 16 << 20;

impl Vae {
    /// `count` new images, the same at every call: the mean of the likelihood for draws from the prior of
    /// seed 0.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample(&self, count: usize) -> Result<Images> {
        self.sample_seeded(count, 0)
    }

    /// `count` new images: the mean of the likelihood for draws from the prior that are a function of
    /// `seed`. Image i is the same whatever the count.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrior`] when the model is a plain autoencoder, [`Error::Gpu`] if the adapter fails.
    pub fn sample_seeded(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, false)
    }

    /// The images of [`Vae::sample_seeded`] with pixels drawn from the likelihood in place of its mean.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample_drawn(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, true)
    }

    /// `count` draws from the prior, (count, latent): those that [`Vae::sample_seeded`] decodes.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn prior(&self, count: usize, seed: u64) -> Result<Vec<f32>> {
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        noise::standard_normals(self.gpu(), [count, self.config().latent], seed)
    }

    /// The mean of the likelihood for each row of z (rows, latent), as images.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when the length of z is no multiple of the number of latent variables,
    /// [`Error::Gpu`] if the adapter fails.
    pub fn decode(&self, z: &[f32]) -> Result<Images> {
        let mut pixels = Vec::new();
        let block = |values: Vec<f32>| {
            pixels.extend(Images::quantised(&values));
            Ok(())
        };
        self.decode_by(z, None, 0, block)?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// The mean of the likelihood for each row of z (rows, latent), as values (rows, channels, height,
    /// width): in \[0, 1\] as far as the model keeps to that.
    ///
    /// # Errors
    ///
    /// As [`Vae::decode`].
    pub fn decode_values(&self, z: &[f32]) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        let block = |values| {
            all.extend(values);
            Ok(())
        };
        self.decode_by(z, None, 0, block)?;
        Ok(all)
    }

    fn generate(&self, count: usize, seed: u64, draw: bool) -> Result<Images> {
        let mut pixels = Vec::new();
        let block = |made: Images| {
            pixels.extend(made.pixels);
            Ok(())
        };
        self.sample_blocks(count, seed, draw, block)?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Hands on the images of [`Vae::sample_seeded`], or with `draw` those of [`Vae::sample_drawn`], a
    /// block of them at a time, so that they need not be in memory together; ends where `block` fails.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`], and those of `block`.
    pub fn sample_blocks(
        &self,
        count: usize,
        seed: u64,
        draw: bool,
        mut block: impl FnMut(Images) -> Result<()>,
    ) -> Result<()> {
        let (latent, shape) = (self.config().latent, self.shape());
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        let rows = (PRIOR / latent / noise::BLOCK).max(1) * noise::BLOCK;
        for first in (0..count).step_by(rows) {
            let wanted = [rows.min(count - first), latent];
            let z = noise::standard_normals_from(self.gpu(), first, wanted, seed)?;
            let made =
                |values: Vec<f32>| block(Images { shape, pixels: Images::quantised(&values) });
            self.decode_by(&z, draw.then_some(seed), first, made)?;
        }
        Ok(())
    }

    /// Hands on what becomes of z, a block at a time; its rows are those from number `offset` on.
    fn decode_by(
        &self,
        z: &[f32],
        draw: Option<u64>,
        offset: usize,
        mut block: impl FnMut(Vec<f32>) -> Result<()>,
    ) -> Result<()> {
        let latent = self.config().latent;
        if !z.len().is_multiple_of(latent) {
            return Err(Error::Input(format!(
                "{} values are no whole number of rows of {latent} latent variables",
                z.len()
            )));
        }
        let record = |recording: &mut Recording, rows, place: &Tensor| {
            let (z, made) = self.network().sampling(recording, rows, draw, place);
            Ports { inputs: vec![(Shape::Features(latent), z)], outputs: vec![made] }
        };
        let fill = |first, wanted, _| Ok(z[first * latent..][..wanted * latent].to_vec());
        // A pixel's draw depends on the row that it is of.
        let step = |_, first| offset + first;
        let output = self.network().decoder.output();
        let made = |made: &[Vec<f32>]| block(output.channels_first(&made[0]));
        self.blocks(z.len() / latent, record, fill, step, made)
    }
}

impl Network {
    /// Records the decoder for `rows`; returns z (rows, latent), which is to be written, and what it
    /// makes of it, the likelihood's mean or draws from it by a seed and the step in `place`.
    pub(crate) fn sampling(
        &self,
        recording: &mut Recording,
        rows: usize,
        draw: Option<u64>,
        place: &Tensor,
    ) -> (Tensor, Tensor) {
        let z = recording.matrix(&[rows, self.config().latent]);
        let made = self.decoded(recording, &z, draw.map(|seed| (seed, place)));
        (z, made)
    }
}
