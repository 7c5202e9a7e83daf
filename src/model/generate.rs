//! New images: draws from the prior, decoded.

use super::blocks::{Port, Ports, input};
use super::condition::{Classes, one_hot};
use super::{Network, Vae};
use crate::data::Images;
use crate::error::{Error, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::Shape;
use crate::ops::noise;

/// Values of latent variables that are drawn from the prior at once.
const PRIOR: usize = 16 << 20;

/// The new images that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Their number.
    pub count: usize,
    /// The seed of the draws from the prior.
    pub seed: u64,
    /// Whether pixels are drawn from the likelihood, too, in place of its mean.
    pub draw: bool,
    /// The classes of a conditional model's images; by turns for any other model.
    pub classes: Classes<'a>,
}

impl Samples<'_> {
    /// The likelihood's mean for `count` draws from the prior by `seed`, of all classes by turns.
    pub fn new(count: usize, seed: u64) -> Self {
        Self { count, seed, draw: false, classes: Classes::Turns }
    }
}

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
    /// `seed`. Image i is the same whatever the count. A conditional model's are of all classes by turns.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrior`] when the model is a plain autoencoder, [`Error::Gpu`] if the adapter fails.
    pub fn sample_seeded(&self, count: usize, seed: u64) -> Result<Images> {
        self.sample_as(Samples::new(count, seed))
    }

    /// The images of [`Vae::sample_seeded`] with pixels drawn from the likelihood in place of its mean.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample_drawn(&self, count: usize, seed: u64) -> Result<Images> {
        self.sample_as(Samples { draw: true, ..Samples::new(count, seed) })
    }

    /// The mean of the likelihood for each row of z (rows, latent), as images.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when the length of z is no multiple of the number of latent variables, or the model is
    /// conditioned on a class, [`Error::Gpu`] if the adapter fails.
    pub fn decode(&self, z: &[f32]) -> Result<Images> {
        self.decode_of(z, self.no_classes()?)
    }

    /// The images of [`Vae::decode`] by a conditional model, each of the class that `classes` says.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when the length of z is no multiple of the number of latent variables, or the model has
    /// no such class, or none at all, [`Error::Gpu`] if the adapter fails.
    pub fn decode_of(&self, z: &[f32], classes: Classes) -> Result<Images> {
        let mut pixels = Vec::new();
        let block = |values: Vec<f32>| {
            pixels.extend(Images::quantised(&values));
            Ok(())
        };
        self.check_classes(z.len() / self.config().latent, classes)?;
        self.decode_by(z, classes, None, 0, block)?;
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
        self.decode_by(z, self.no_classes()?, None, 0, block)?;
        Ok(all)
    }

    /// The classes of rows that have none.
    fn no_classes(&self) -> Result<Classes<'static>> {
        match self.network().condition() {
            None => Ok(Classes::default()),
            Some(condition) => Err(Error::Input(format!(
                "the model is conditioned on {}; say which class each row is of, as by Vae::decode_of",
                condition.column
            ))),
        }
    }

    /// Fails unless the model has such classes for `rows` rows.
    fn check_classes(&self, rows: usize, classes: Classes) -> Result<()> {
        match self.network().condition() {
            Some(condition) => classes.check(rows, condition),
            None if classes == Classes::default() => Ok(()),
            None => Err(Error::Input("the model is conditioned on no class".into())),
        }
    }

    /// New images, as `samples` says.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`]; [`Error::Input`] when the model has no such class, or none at all.
    pub fn sample_as(&self, samples: Samples) -> Result<Images> {
        let mut pixels = Vec::new();
        let block = |made: Images| {
            pixels.extend(made.pixels);
            Ok(())
        };
        self.sample_blocks(samples, block)?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Hands on the images of [`Vae::sample_as`], a block of them at a time, so that they need not be in
    /// memory together; ends where `block` fails.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_as`], and those of `block`.
    pub fn sample_blocks(
        &self,
        Samples { count, seed, draw, classes }: Samples,
        mut block: impl FnMut(Images) -> Result<()>,
    ) -> Result<()> {
        let (latent, shape) = (self.config().latent, self.shape());
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        self.check_classes(count, classes)?;
        let rows = (PRIOR / latent / noise::BLOCK).max(1) * noise::BLOCK;
        for first in (0..count).step_by(rows) {
            let z = self.prior_from(first, rows.min(count - first), seed)?;
            let made =
                |values: Vec<f32>| block(Images { shape, pixels: Images::quantised(&values) });
            self.decode_by(&z, classes, draw.then_some(seed), first, made)?;
        }
        Ok(())
    }

    /// Hands on what becomes of z, a block at a time; its rows are those from number `offset` on.
    fn decode_by(
        &self,
        z: &[f32],
        classes: Classes,
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
            self.network().sampling(recording, rows, draw, place)
        };
        let fill = |first: usize, wanted: usize, port| {
            Ok(match port {
                Port::Values(_) => z[first * latent..][..wanted * latent].to_vec(),
                Port::Classes(count) => one_hot(classes, offset + first, wanted, count),
                Port::Noise(..) => unreachable!("z is given"),
            })
        };
        // A pixel's draw depends on the row that it is of.
        let step = |_, first| offset + first;
        let output = self.network().decoder.output();
        let made = |made: &[Vec<f32>]| block(output.channels_first(&made[0]));
        self.blocks(z.len() / latent, record, fill, step, made)
    }
}

impl Network {
    /// Records the decoder for `rows` of z (rows, latent); what comes out is the likelihood's mean, or draws
    /// from it by a seed and the step in `place`.
    pub(crate) fn sampling(
        &self,
        recording: &mut Recording,
        rows: usize,
        draw: Option<u64>,
        place: &Tensor,
    ) -> Ports {
        let mut graph = self.graph(recording, None);
        let mut inputs = Vec::new();
        let shape = Shape::Features(self.config().latent);
        let z = input(&mut graph, &mut inputs, Port::Values(shape), (shape, rows));
        let condition = self.given_condition(&mut graph, &mut inputs, rows);
        let made = self.decoded(&mut graph, z, condition, draw.map(|seed| (seed, place)));
        Ports { inputs, outputs: vec![made] }
    }
}
