//! Losses over a whole split.

use std::sync::Arc;

use super::Losses;
use super::split::{Split, batches};
use crate::data::Images;
use crate::error::{Error, Load, Result};
use crate::gpu::{AdapterReport, Choices, Gpu, Plan, Recording};
use crate::model::{ModelConfig, Network, Running, Vae};
use crate::ops::latent::Divergence;
use crate::ops::{State, Stream, report};

/// Batches in a submission: enough to hide its cost, few enough for a slow adapter's watchdog.
const SUBMISSION: usize = 16;

/// Whether evaluation draws z from the posterior or takes its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// One draw for each image, the same for the same seed and batch size.
    Seeded(u64),
    /// z at the posterior's mean; the seed is that of a denoising model's corruption.
    Mean(u64),
}

/// A split on the adapter and the plans that compute its losses.
pub struct Evaluator {
    gpu: Gpu,
    config: ModelConfig,
    split: Split,
    running: Running,
    /// Plans for full batches and for a smaller last one, with how often each runs.
    plans: Vec<(Plan, usize)>,
}

impl Evaluator {
    /// Prepares to evaluate `vae` on `images`, `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there are no images or `batch_size` is 0, [`Error::Shape`] when they
    /// are not of the model's shape, [`Error::TooLarge`] when they do not fit the adapter.
    pub fn new(vae: &Vae, images: &Images, batch_size: usize, noise: Noise) -> Result<Self> {
        if images.is_empty() || batch_size == 0 {
            return Err(Error::Input("an evaluation takes at least one image at a time".into()));
        }
        vae.check_shape(images)?;
        let gpu = vae.gpu();
        let split = Split::new(images.len(), images.shape.pixels());
        split.check_fits(gpu.report())?;
        let running = Running::new(vae.config());
        let plans = batches(split.count, batch_size, |rows| {
            let (adapter, choices) = (gpu.report(), vae.choices());
            let batch = evaluation(vae.network(), &running, &split, rows, noise, adapter, choices);
            batch.check_fits(Load::Batch)?;
            Ok(batch.compile(gpu))
        })?;
        split.upload(gpu, images)?;
        Ok(Self { gpu: gpu.clone(), config: vae.config().clone(), split, running, plans })
    }

    /// The mean losses of the model as it is now, with one read-back.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn run(&self) -> Result<Losses> {
        let state = State { images: self.split.count as u32, ..State::default() };
        self.running.write(&self.gpu, &state, &vec![0.0; self.running.units.len()]);
        for (plan, times) in &self.plans {
            for first in (0..*times).step_by(SUBMISSION) {
                let steps = SUBMISSION.min(times - first);
                self.gpu.submit(|pass| (0..steps).for_each(|_| plan.encode(pass)));
            }
        }
        let (state, units) = self.running.read(&self.gpu)?;
        let units: Vec<f64> = units.into_iter().map(f64::from).collect();
        Ok(Losses::new(&self.config, state.recon.into(), &units))
    }
}

/// Records the losses of the next `rows` images of `split`, which add up in `running`.
pub(super) fn evaluation(
    network: &Network,
    running: &Running,
    split: &Split,
    rows: usize,
    noise: Noise,
    adapter: &AdapterReport,
    choices: &Arc<Choices>,
) -> Recording {
    let (seed, draws) = match noise {
        Noise::Seeded(seed) => (seed, true),
        Noise::Mean(seed) => (seed, false),
    };
    let (mut recording, state) = (Recording::with_choices(adapter, choices), &running.state);
    let noise = (seed, Stream::Evaluate);
    let batch = split.record_batch(&mut recording, network, rows, state, noise, draws);
    let mut graph = network.graph(&mut recording, None);
    let recon = network.elbo(&mut graph, &batch, running, &Divergence::weighted(1.0)).recon;
    report::accumulate(&mut recording, "step", rows, &recon, state);
    recording
}
