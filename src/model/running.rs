//! Counters and means of an epoch.

use crate::error::Result;
use crate::gpu::{Gpu, Tensor};
use crate::ops::State;
use crate::ops::latent::STATISTICS;

/// Counters and running means of an epoch, on the adapter.
pub struct Running {
    /// All of it, in one buffer.
    all: Tensor,
    /// One [`State`].
    pub state: Tensor,
    /// The mean of each of the losses' terms (2 · [`Running::TERMS`]), in nats, in two parts that add up.
    pub sums: Tensor,
    /// The statistics that kernels of latent variables keep: see [`crate::ops::latent::STATISTICS`].
    pub units: Tensor,
}

/// The same as the host has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// The counters.
    pub state: State,
    /// The sum of each term over the epoch's images so far, by all of its images, in two parts that add up.
    pub sums: Vec<[f32; 2]>,
    /// The latent variables' statistics ([`crate::ops::latent::STATISTICS`], latent).
    pub units: Vec<f32>,
}

impl Totals {
    /// The sum of each term, by all of the epoch's images.
    pub fn terms(&self) -> Vec<f64> {
        self.sums.iter().map(|parts| parts.map(f64::from).iter().sum()).collect()
    }

    /// The KL divergence of each latent variable, likewise, and the variance of its posterior's mean, of
    /// which this is the sum over the images so far by all of them.
    pub fn latent(&self) -> [Vec<f64>; 2] {
        let latent = self.units.len() / STATISTICS;
        let row = |i: usize| self.units[i * latent..][..latent].iter().map(|v| f64::from(*v));
        [row(0).zip(row(1)).map(|(older, recent)| older + recent).collect(), row(4).collect()]
    }
}

impl Running {
    /// Terms that there is place for.
    pub const TERMS: usize = Tensor::ALIGNMENT;

    /// Zeros; with place for so many `units`.
    pub fn new(units: usize) -> Self {
        const SUMS: usize = Tensor::ALIGNMENT;
        const UNITS: usize = SUMS + 2 * Running::TERMS;
        let all = Tensor::zeros("running", &[UNITS + units]);
        let state = all.view(0, &[State::WORDS]);
        let sums = all.view(SUMS, &[2 * Self::TERMS]);
        Self { state, sums, units: all.view(UNITS, &[units]), all }
    }

    /// Goes on from `totals`; what they lack is zero.
    pub fn write(&self, gpu: &Gpu, totals: &Totals) {
        let mut words = vec![0; self.all.len()];
        let state: [u32; State::WORDS] = bytemuck::cast(totals.state);
        words[..State::WORDS].copy_from_slice(&state);
        for (i, parts) in totals.sums.iter().enumerate() {
            for (j, part) in parts.iter().enumerate() {
                words[self.sums.offset() + j * Self::TERMS + i] = part.to_bits();
            }
        }
        let to = words[self.units.offset()..].iter_mut();
        to.zip(&totals.units).for_each(|(word, value)| *word = value.to_bits());
        self.all.write(gpu, &words);
    }

    /// Waits for all steps and reads everything.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn read(&self, gpu: &Gpu) -> Result<Totals> {
        let words: Vec<u32> = self.all.read(gpu)?;
        let floats = |tensor: &Tensor| {
            let part = &words[tensor.offset()..][..tensor.len()];
            part.iter().map(|word| f32::from_bits(*word)).collect::<Vec<_>>()
        };
        let sums = floats(&self.sums);
        let (older, recent) = sums.split_at(Self::TERMS);
        let sums = older.iter().zip(recent).map(|(older, recent)| [*older, *recent]).collect();
        let state = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words[..State::WORDS]));
        Ok(Totals { state, sums, units: floats(&self.units) })
    }
}
