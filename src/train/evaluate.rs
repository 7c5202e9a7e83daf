//! Losses over a whole split.

use super::Losses;
use super::split::{Split, batches};
use crate::data::Images;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Plan, Tensor};
use crate::model::Vae;
use crate::ops::{State, Stream, report};

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
    /// Plans for full batches and for a smaller last one, with how often each runs.
    plans: Vec<(Plan, usize)>,
}

impl Evaluator {
    /// Prepares to evaluate `vae` on `images`, `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there are no images, they are not of the model's shape or
    /// `batch_size` is 0, [`Error::Gpu`] when they do not fit the adapter.
    pub fn new(vae: &Vae, images: &Images, batch_size: usize, noise: Noise) -> Result<Self> {
        if images.is_empty() || batch_size == 0 {
            return Err(Error::Usage("an evaluation takes at least one image at a time".into()));
        }
        vae.check_shape(images)?;
        vae.check_batch(batch_size.min(images.len()))?;
        let gpu = vae.gpu();
        let split = Split::upload(gpu, images)?;
        let state = State::tensor(gpu, "evaluation state");
        let noise = match noise {
            Noise::Seeded(seed) => Some((seed, Stream::Evaluate)),
            Noise::Mean => None,
        };
        let record = |rows: usize| {
            let mut plan = vae.plan();
            let (x, epsilon) = split.record_batch(&mut plan, vae, rows, &state, noise);
            let forward = vae.forward(&mut plan, &x, &epsilon);
            report::accumulate(&mut plan, "step", rows, &forward.recon, &forward.kl, &state);
            plan.prepare();
            plan
        };
        let plans = batches(split.count, batch_size, record);
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
