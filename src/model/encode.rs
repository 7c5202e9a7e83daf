//! What a model makes of images: codes, and reconstructions.

use super::generate::as_many_as_fit;
use super::network::HEAD;
use super::{Input, Network, Running, Vae};
use crate::data::Images;
use crate::error::Result;
use crate::gpu::{Recording, Tensor};
use crate::ops::latent;

/// Images encoded at once.
const BLOCK: usize = 256;

/// The posterior of each of several images: a Gaussian whose latent variables are independent.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// Number of latent variables.
    pub latent: usize,
    /// (rows, latent). Of a plain autoencoder, the code itself.
    pub mean: Vec<f32>,
    /// The logarithm of the variance, (rows, latent); empty for a plain autoencoder.
    pub log_variance: Vec<f32>,
}

impl Posterior {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.mean.len() / self.latent
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mean.is_empty()
    }

    /// z (rows, latent) = mean + exp(log_variance / 2) · epsilon, with `epsilon` (rows, latent), which
    /// are standard normals for a draw (Kingma and Welling 2013, section 2.4). Panics if `epsilon` is
    /// of another length.
    pub fn at(&self, epsilon: &[f32]) -> Vec<f32> {
        assert_eq!(epsilon.len(), self.mean.len(), "an epsilon for each latent variable");
        if self.log_variance.is_empty() {
            return self.mean.clone();
        }
        let moments = self.mean.iter().zip(&self.log_variance);
        moments.zip(epsilon).map(|((mean, log), e)| mean + (0.5 * log).exp() * e).collect()
    }
}

impl Vae {
    /// The posterior of each image. Draws from it are [`Posterior::at`] of standard normals, as
    /// [`Vae::prior`] gives them out.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] or [`crate::Error::Input`] when the images are not of the model's
    /// shape, [`crate::Error::Gpu`] if the adapter fails.
    pub fn encode<'a>(&self, images: impl Into<Input<'a>>) -> Result<Posterior> {
        let (latent, variational) = (self.config().latent, self.config().variational);
        let mut posterior = Posterior { latent, mean: Vec::new(), log_variance: Vec::new() };
        self.over(images.into(), |network, recording, rows| network.encoding(recording, rows), {
            |rows: &[f32]| {
                let columns = if variational { 2 * latent } else { latent };
                for row in rows.chunks(columns) {
                    posterior.mean.extend(&row[..latent]);
                    posterior.log_variance.extend(&row[latent..]);
                }
            }
        })?;
        Ok(posterior)
    }

    /// What the model makes of images: encoded to the mean of the posterior, without noise, and decoded
    /// to the mean of the likelihood.
    ///
    /// # Errors
    ///
    /// As [`Vae::encode`].
    pub fn reconstruct<'a>(&self, images: impl Into<Input<'a>>) -> Result<Images> {
        let mut pixels = Vec::new();
        let output = self.network().decoder.output();
        let record = |network: &Network, recording: &mut Recording, rows| {
            network.reconstructing(recording, rows)
        };
        self.over(images.into(), record, |values| {
            pixels.extend(super::input::quantised(&super::input::channels_first(values, output)));
        })?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Runs what `record` records on `images`, a block at a time, and hands on what comes out of each.
    /// `record` returns what is given and what comes out.
    fn over(
        &self,
        images: Input,
        record: impl Fn(&Network, &mut Recording, usize) -> (Tensor, Tensor),
        mut made: impl FnMut(&[f32]),
    ) -> Result<()> {
        let (gpu, count) = (self.gpu(), images.rows(self.shape())?);
        if count == 0 {
            return Ok(());
        }
        let ((x, y), recording) = as_many_as_fit(count.min(BLOCK), |rows| {
            let mut recording = self.recording();
            let parts = record(self.network(), &mut recording, rows);
            (parts, recording)
        })?;
        let (plan, shape) = (recording.compile(gpu), self.network().input);
        let rows = x.rows() / shape.rows();
        for first in (0..count).step_by(rows) {
            let wanted = rows.min(count - first);
            let mut values = images.values(first, wanted, shape);
            values.resize(x.len(), 0.0);
            x.write(gpu, &values);
            plan.run();
            let all: Vec<f32> = y.read(gpu)?;
            made(&all[..all.len() / rows * wanted]);
        }
        Ok(())
    }
}

impl Network {
    /// Records the encoder for `rows` images; returns x, which is to be written, and the posterior's
    /// means and log-variances side by side (rows, 2 · latent).
    pub(crate) fn encoding(&self, recording: &mut Recording, rows: usize) -> (Tensor, Tensor) {
        let x = self.input.tensor(recording, rows);
        let mut graph = self.graph(recording, None);
        let given = graph.input(self.input, rows, x.clone());
        let head = self.encoded(&mut graph, given);
        (x, graph.tensor(head))
    }

    /// Records encoder and decoder for `rows` images; returns x, which is to be written, and the mean
    /// of the likelihood at the posterior's mean, laid out as the decoder's output.
    pub(crate) fn reconstructing(
        &self,
        recording: &mut Recording,
        rows: usize,
    ) -> (Tensor, Tensor) {
        let (x, head) = self.encoding(recording, rows);
        let latent = self.config().latent;
        let z = match self.config().variational {
            true => {
                let (z, kl) = (recording.matrix(&[rows, latent]), recording.vector(latent));
                let Running { state, units, .. } = Running::new(self.config());
                // Without noise z is the mean.
                let epsilon = Tensor::zeros("no noise", &[rows * latent]);
                latent::forward(recording, HEAD, &state, &head, &epsilon, &z, &kl, &units);
                z
            }
            false => head,
        };
        let made = self.decoded(recording, &z, None);
        (x, made)
    }
}
