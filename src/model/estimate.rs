//! The log-likelihood of images, estimated by importance sampling.

use std::f64::consts::PI;
use std::ops::ControlFlow;

use super::blocks::{Port, WORKSPACE, write};
use super::condition::CONDITION;
use super::encode::{Encoded, values};
use super::network::HEAD;
use super::samples::{repeated, total};
use super::{Distribution, Input, Network, Vae};
use crate::error::{Error, Load, Result};
use crate::gpu::{Plan, Recording, Tensor};
use crate::nn::{Graph, Shape, ValueId};
use crate::ops::likelihood::Likelihood;
use crate::ops::noise::{self, Draw};
use crate::ops::{State, Stream, log_mean_exp};

/// Images at a time.
const IMAGES: usize = 64;
/// Samples of all images at a time, of which there are fewer where they take much memory.
const ROWS: usize = 4096;

/// An estimate of the negative log-likelihood of some images, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct NegLogLikelihood {
    /// Samples of the posterior for each image.
    pub samples: usize,
    /// The estimate for each image.
    pub images: Vec<f64>,
}

impl NegLogLikelihood {
    /// The mean over the images.
    pub fn mean(&self) -> f64 {
        self.images.iter().sum::<f64>() / self.images.len() as f64
    }

    /// The standard error of [`NegLogLikelihood::mean`], by which it would differ for other images of the
    /// same distribution; nothing for a single image.
    pub fn standard_error(&self) -> Option<f64> {
        let (count, mean) = (self.images.len() as f64, self.mean());
        let squares: f64 = self.images.iter().map(|nats| (nats - mean).powi(2)).sum();
        (count > 1.0).then(|| (squares / (count - 1.0) / count).sqrt())
    }
}

/// A plan for k samples of some images.
struct Chunk {
    samples: usize,
    inputs: Vec<(Port, Tensor)>,
    plan: Plan,
}

impl Vae {
    /// Estimates −log p(x) of each image as −log((1 / K) Σ p(x, z) / q(z | x)) over K = `samples` draws of z
    /// from the posterior, by `seed`: an upper bound in expectation, which falls to −log p(x) as K grows
    /// (Burda et al. 2016, theorem 1). `progress` is called with the images done so far, and all; nothing is
    /// returned if it breaks.
    ///
    /// A squared error is taken as the Gaussian of variance ½ that it is, with its constant. Grey pixels
    /// under a Bernoulli likelihood have no density: what is estimated is then only a bound. A denoising
    /// model is given the images as they are.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrior`] when the model is a plain autoencoder, [`Error::Input`] when no sample is asked
    /// for, and as [`Vae::encode`].
    pub fn neg_log_likelihood<'a>(
        &self,
        images: impl Into<Input<'a>>,
        samples: usize,
        seed: u64,
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<NegLogLikelihood>> {
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        if samples == 0 {
            return Err(Error::Input("an estimate takes at least one sample".into()));
        }
        let images = images.into();
        let (count, classes) = (images.rows(self.shape())?, self.classes(images)?);
        let mut found = NegLogLikelihood { samples, images: Vec::with_capacity(count) };
        if count == 0 {
            return Ok(Some(found));
        }
        let (gpu, state) = (self.gpu(), State::tensor("state"));
        let (mut rows, mut most) = (IMAGES.min(count), samples);
        most = most.min(ROWS / rows);
        // Fewer samples at a time, and then fewer images, where those take much memory.
        let (first, total) = loop {
            let total = Tensor::matrix("total", &[rows, 2]);
            match self.recorded_chunk((rows, most), seed, &state, &total) {
                Ok(made) if most * rows == 1 || made.1.workspace_bytes() <= WORKSPACE => {
                    break (made, total);
                }
                Err(e) if most * rows == 1 || !matches!(e, Error::TooLarge { .. }) => {
                    return Err(e);
                }
                _ if most > 1 => most /= 2,
                _ => rows /= 2,
            }
        };
        let compiled = |(inputs, recording): (Vec<_>, Recording), samples| {
            let plan = recording.compile(gpu);
            Chunk { samples, inputs, plan }
        };
        let mut chunks = vec![compiled(first, most)];
        if !samples.is_multiple_of(most) {
            // The last samples of each image.
            let rest = samples % most;
            let recorded = self.recorded_chunk((rows, rest), seed, &state, &total)?;
            chunks.push(compiled(recorded, rest));
        }
        let mut step = 0;
        for first in (0..count).step_by(rows) {
            let wanted = rows.min(count - first);
            let none = log_mean_exp::NONE.repeat(rows);
            total.write(gpu, &none);
            // Both kinds of chunk are given the same.
            for (i, (port, _)) in chunks[0].inputs.iter().enumerate() {
                let given = values(images, &classes, (first, wanted), *port)?;
                chunks.iter().for_each(|chunk| write(gpu, &chunk.inputs[i].1, given.clone()));
            }
            let mut left = samples;
            while left > 0 {
                let next = chunks.iter().find(|chunk| chunk.samples <= left).expect("the last one");
                State { step, ..State::default() }.write(gpu, &state);
                next.plan.run();
                (left, step) = (left - next.samples, step + 1);
            }
            for total in total.read::<f32>(gpu)?.chunks(2).take(wanted) {
                let [least, sum] = [total[0], total[1]].map(f64::from);
                found.images.push(least - (sum / samples as f64).ln() + self.left_out());
            }
            if !found.images.iter().all(|nats| nats.is_finite()) {
                return Err(Error::NotFinite { what: "the log-likelihood".into() });
            }
            if progress(first + wanted, count).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Records k samples of each of `rows` images, which add to `total`; fails unless that fits the adapter.
    fn recorded_chunk(
        &self,
        (rows, k): (usize, usize),
        seed: u64,
        state: &Tensor,
        total: &Tensor,
    ) -> Result<(Vec<(Port, Tensor)>, Recording)> {
        self.network().check_rows(rows * k, self.gpu().report(), Load::Image)?;
        let mut recording = self.recording();
        let (inputs, nats) = self.network().weighing(&mut recording, (rows, k), seed, state);
        log_mean_exp::accumulate(&mut recording, "estimate", &nats, total);
        recording.check_fits(Load::Image)?;
        Ok((inputs, recording))
    }

    /// Nats that the loss leaves out of the density of an image.
    fn left_out(&self) -> f64 {
        match self.config().likelihood {
            Likelihood::SquaredError => 0.5 * PI.ln() * self.shape().pixels() as f64,
            _ => 0.0,
        }
    }
}

impl Network {
    /// Records log q(z | x) − log p(x, z) (rows · k, 1) of k draws of z for each of `rows` images, by a seed
    /// and the step in `state`; returns what is to be written, and those nats.
    fn weighing(
        &self,
        recording: &mut Recording,
        (rows, k): (usize, usize),
        seed: u64,
        state: &Tensor,
    ) -> (Vec<(Port, Tensor)>, Tensor) {
        let mut graph = self.graph(recording, None);
        let Encoded { x, mut inputs, condition, head } = self.encoded_input(&mut graph, rows);
        let moments = repeated(&mut graph, HEAD, head, k);
        let condition = condition.map(|condition| repeated(&mut graph, CONDITION, condition, k));
        let noise = self.noise(&mut graph, rows * k, seed, state);
        let z = Distribution::Normal(moments).rsample(&mut graph, HEAD, noise[0]);
        let target = self.target(&mut graph, x, &mut inputs);
        let recon = self.recon(&mut graph, (z, condition), target, k);
        let levels = self.divergences(&mut graph, (moments, z), &noise[1..], false);
        let nats = total(&mut graph, recon, &levels);
        (inputs, graph.tensor(nats))
    }

    /// Records standard normals (rows, latent) for each level, by a seed and the step in `state`.
    pub(super) fn noise(
        &self,
        graph: &mut Graph,
        rows: usize,
        seed: u64,
        state: &Tensor,
    ) -> Vec<ValueId> {
        let levels = self.latents().into_iter().zip(0..);
        let draw = |(latent, number)| {
            let shape = Shape::Features(latent);
            let epsilon = graph.allocate(shape, rows);
            let draw = Draw { seed, stream: Stream::Evaluate, number };
            noise::normal(graph.recording, HEAD, draw, state, &epsilon);
            graph.input(shape, rows, epsilon)
        };
        levels.map(draw).collect()
    }
}
