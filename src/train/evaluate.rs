//! Losses over a whole split.

use super::Losses;
use crate::data::Images;
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::model::Vae;
use crate::ops::noise::Stream;
use crate::ops::{State, gather, noise, report};

/// Batches in a submission: enough to hide its cost, few enough for a slow adapter's watchdog.
const SUBMISSION: usize = 16;

/// Whether evaluation draws z from the posterior or takes its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// One draw for each image, the same for the same seed and batch size.
    Seeded(u64),
    /// z at the posterior's mean.
    Mean,
}

/// A split on the adapter and the plans that compute its losses.
pub struct Evaluator {
    gpu: Gpu,
    kl_weight: f64,
    split: Split,
    state: Tensor,
    plans: Vec<(Plan, usize)>,
}

/// Images on the adapter, packed four bytes to an element, and the order to take them in.
pub(super) struct Split {
    pub images: Tensor,
    pub order: Tensor,
    pub count: usize,
}

impl Split {
    /// Uploads `images`, in their own order.
    pub fn upload(gpu: &Gpu, images: &Images) -> Result<Self> {
        let bytes = images.pixels.len().next_multiple_of(4);
        let remedy = "use fewer or smaller images (--size)";
        gpu.check_fits("the dataset", bytes as u64, remedy)?;
        let mut words = vec![0u32; bytes / 4];
        bytemuck::cast_slice_mut(&mut words)[..images.pixels.len()].copy_from_slice(&images.pixels);
        let order: Vec<u32> = (0..images.len() as u32).collect();
        Ok(Self {
            images: Tensor::new(gpu, "images", &[words.len()], &words),
            order: Tensor::new(gpu, "order", &[order.len()], &order),
            count: images.len(),
        })
    }
}

impl Evaluator {
    /// Prepares to evaluate `vae` on `images`, `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Usage`] when the images are not of the model's shape,
    /// [`crate::Error::Gpu`] when they do not fit the adapter.
    pub fn new(
        vae: &Vae,
        gpu: &Gpu,
        images: &Images,
        batch_size: usize,
        noise: Noise,
    ) -> Result<Self> {
        vae.check_shape(images)?;
        let split = Split::upload(gpu, images)?;
        let state = State::tensor(gpu, "evaluation state");
        let record = |rows: usize| {
            let mut plan = Plan::new(gpu);
            let x = Tensor::zeros(gpu, "x", &[rows, vae.shape().pixels()]);
            let epsilon = Tensor::zeros(gpu, "epsilon", &[rows, vae.config().latent]);
            gather::batch(&mut plan, "input", &state, &split.images, &split.order, &x);
            if let Noise::Seeded(seed) = noise {
                noise::normal(&mut plan, "input", seed, Stream::Evaluate, &state, &epsilon);
            }
            let forward = vae.forward(&mut plan, &x, &epsilon);
            report::accumulate(&mut plan, "step", &forward.recon, &forward.kl, &state);
            plan
        };
        let plans = batches(split.count, batch_size)
            .into_iter()
            .map(|(rows, times)| (record(rows), times))
            .collect();
        let kl_weight = vae.config().kl_weight;
        Ok(Self { gpu: gpu.clone(), kl_weight, split, state, plans })
    }

    /// The mean losses of the model as it is now, with one read-back.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn run(&self) -> Result<Losses> {
        let state = State { images: self.split.count as u32, ..State::default() };
        state.write(&self.gpu, &self.state);
        for (plan, times) in &self.plans {
            for first in (0..*times).step_by(SUBMISSION) {
                let steps = SUBMISSION.min(times - first);
                self.gpu.submit(|pass| (0..steps).for_each(|_| plan.encode(pass)));
            }
        }
        let state = State::read(&self.gpu, &self.state)?;
        Ok(Losses::new(state.recon.into(), state.kl.into(), self.kl_weight))
    }
}

/// How `count` images fall into batches: (rows, how many such batches), full ones first.
pub(super) fn batches(count: usize, batch_size: usize) -> Vec<(usize, usize)> {
    let rows = batch_size.min(count);
    let tail = count % rows;
    [(rows, count / rows), (tail, 1)].into_iter().filter(|(rows, _)| *rows > 0).collect()
}
