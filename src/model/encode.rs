//! Images through a model: codes, reconstructions, scores.

use std::borrow::Cow;

use super::blocks::{Port, Ports, input};
use super::condition::{Classes, one_hot};
use super::network::HEAD;
use super::samples::total;
use super::{Distribution, Input, Network, Noise, Vae};
use crate::data::Images;
use crate::error::Result;
use crate::gpu::{Recording, Tensor};
use crate::nn::{Graph, Shape, ValueId};

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

/// The terms of the evidence lower bound for each of several images, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The reconstruction loss: the negative log-likelihood at one z.
    pub recon: Vec<f32>,
    /// The KL divergence of the posterior from the prior; 0 for a plain autoencoder.
    pub kl: Vec<f32>,
}

impl Vae {
    /// The posterior of each image. Draws from it are [`Posterior::at`] of standard normals, as
    /// [`Vae::prior`] gives them out. Images are taken as they are, even by a model that is trained on black
    /// and white: [`Input::of`] makes them so.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] or [`crate::Error::Input`] when the images are not of the model's
    /// shape, [`crate::Error::Gpu`] if the adapter fails.
    pub fn encode<'a>(&self, images: impl Into<Input<'a>>) -> Result<Posterior> {
        let latent = self.config().latent;
        let mut posterior = Posterior { latent, mean: Vec::new(), log_variance: Vec::new() };
        let record =
            |recording: &mut Recording, rows, _: &Tensor| self.network().encoding(recording, rows);
        self.over(images.into(), record, |made| {
            let columns = if self.config().variational { 2 * latent } else { latent };
            for row in made[0].chunks(columns) {
                posterior.mean.extend(&row[..latent]);
                posterior.log_variance.extend(&row[latent..]);
            }
            Ok(())
        })?;
        Ok(posterior)
    }

    /// Reconstructions of images: encoded to the mean of the posterior, without noise, and decoded
    /// to the mean of the likelihood.
    ///
    /// # Errors
    ///
    /// As [`Vae::encode`].
    pub fn reconstruct<'a>(&self, images: impl Into<Input<'a>>) -> Result<Images> {
        let mut pixels = Vec::new();
        let output = self.network().decoder.output();
        let record = |recording: &mut Recording, rows, _: &Tensor| {
            self.network().reconstructing(recording, rows)
        };
        self.over(images.into(), record, |made| {
            pixels.extend(Images::quantised(&output.channels_first(&made[0])));
            Ok(())
        })?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// The terms of the bound for each image, with one draw of z or its mean, as `noise` says: images
    /// that the model finds unlikely have high ones. The negative bound is recon + kl; its mean over
    /// many images is what [`crate::Evaluator`] gives at once. A denoising model is given them
    /// as they are.
    ///
    /// # Errors
    ///
    /// As [`Vae::encode`].
    pub fn score<'a>(&self, images: impl Into<Input<'a>>, noise: Noise) -> Result<Scores> {
        let mut scores = Scores { recon: Vec::new(), kl: Vec::new() };
        let record = |recording: &mut Recording, rows, state: &Tensor| {
            self.network().scoring(recording, rows, noise, state)
        };
        self.over(images.into(), record, |made| {
            scores.recon.extend(&made[0]);
            match made.get(1) {
                Some(kl) => scores.kl.extend(kl),
                None => scores.kl.resize(scores.recon.len(), 0.0),
            }
            Ok(())
        })?;
        Ok(scores)
    }

    /// Runs what `record` records on `images`, a block at a time: see [`Vae::blocks`].
    fn over(
        &self,
        images: Input,
        record: impl Fn(&mut Recording, usize, &Tensor) -> Ports,
        made: impl FnMut(&[Vec<f32>]) -> Result<()>,
    ) -> Result<()> {
        let (rows, classes) = (images.rows(self.shape())?, self.classes(images)?);
        let fill = |first, wanted, port| values(images, &classes, (first, wanted), port);
        self.blocks(rows, record, fill, |block, _| block, made)
    }

    /// The classes of images for a conditional model.
    pub(super) fn classes<'a>(&self, images: Input<'a>) -> Result<Cow<'a, [u32]>> {
        match self.network().condition() {
            Some(condition) => images.classes(condition, images.rows(self.shape())?),
            None => Ok(Cow::default()),
        }
    }
}

/// What `port` takes of `count` images from number `first` on.
pub(super) fn values(
    images: Input,
    classes: &[u32],
    (first, count): (usize, usize),
    port: Port,
) -> Result<Vec<f32>> {
    match port {
        Port::Values(shape) => images.values(first, count, shape),
        Port::Classes(all) => Ok(one_hot(Classes::Each(classes), first, count, all)),
        Port::Noise(..) => unreachable!("images come without noise"),
    }
}

/// The encoder of images that are to be written.
pub(super) struct Encoded {
    pub x: ValueId,
    /// The tensors of x, and of the classes of a conditional model.
    pub inputs: Vec<(Port, Tensor)>,
    pub condition: Option<ValueId>,
    /// The posterior's means and log-variances side by side (rows, 2 · latent).
    pub head: ValueId,
}

impl Network {
    /// Records the encoder for `rows` images; what comes out are the posterior's means and log-variances
    /// side by side (rows, 2 · latent).
    fn encoding(&self, recording: &mut Recording, rows: usize) -> Ports {
        let mut graph = self.graph(recording, None);
        let Encoded { inputs, head, .. } = self.encoded_input(&mut graph, rows);
        Ports { inputs, outputs: vec![graph.tensor(head)] }
    }

    /// Records the encoder of images that are to be written.
    pub(super) fn encoded_input(&self, graph: &mut Graph, rows: usize) -> Encoded {
        let mut inputs = Vec::new();
        let x = input(graph, &mut inputs, Port::Values(self.input), (self.input, rows));
        let condition = self.given_condition(graph, &mut inputs, rows);
        let head = self.encoded(graph, x, condition);
        Encoded { x, inputs, condition, head }
    }

    /// The images as the decoder's output is laid out: x itself, or one more tensor of `inputs`.
    pub(super) fn target(
        &self,
        graph: &mut Graph,
        x: ValueId,
        inputs: &mut Vec<(Port, Tensor)>,
    ) -> ValueId {
        let (shape, rows) = (self.decoder.output(), graph.rows(x));
        match shape == self.input {
            true => x,
            false => input(graph, inputs, Port::Values(shape), (shape, rows)),
        }
    }

    /// Records encoder and decoder for `rows` images; what comes out is the mean of the likelihood at the
    /// posterior's mean, laid out as the decoder's output.
    pub(crate) fn reconstructing(&self, recording: &mut Recording, rows: usize) -> Ports {
        let mut graph = self.graph(recording, None);
        let Encoded { inputs, condition, head, .. } = self.encoded_input(&mut graph, rows);
        let z = match self.config().variational {
            true => Distribution::Normal(head).mean(&mut graph, HEAD),
            false => head,
        };
        let made = self.decoded(&mut graph, z, condition, None);
        Ports { inputs, outputs: vec![made] }
    }

    /// Records the terms of each image's bound with z as `noise` says, by the step in `state`.
    fn scoring(
        &self,
        recording: &mut Recording,
        rows: usize,
        noise: Noise,
        state: &Tensor,
    ) -> Ports {
        let mut graph = self.graph(recording, None);
        let Encoded { x, mut inputs, condition, head } = self.encoded_input(&mut graph, rows);
        let posterior = Distribution::Normal(head);
        // Means where nothing is drawn: those of the levels above as well.
        let noise = match noise {
            Noise::Seeded(seed) if self.config().variational => {
                self.noise(&mut graph, rows, seed, state)
            }
            _ => {
                let zeros = |latent| {
                    let zeros = Tensor::matrix("no noise", &[rows, latent]);
                    graph.input(Shape::Features(latent), rows, zeros)
                };
                self.latents().into_iter().map(zeros).collect()
            }
        };
        let z = match self.config().variational {
            false => head,
            true => posterior.rsample(&mut graph, HEAD, noise[0]),
        };
        let target = self.target(&mut graph, x, &mut inputs);
        let recon = self.recon(&mut graph, (z, condition), target, 1);
        let mut outputs = vec![graph.tensor(recon)];
        if self.config().variational {
            let levels = self.divergences(&mut graph, (head, z), &noise[1..], true);
            let all = total(&mut graph, levels[0], &levels[1..]);
            outputs.push(graph.tensor(all));
        }
        Ports { inputs, outputs }
    }
}
