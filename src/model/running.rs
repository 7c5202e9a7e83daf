//! Counters and means of an epoch.

use crate::error::Result;
use crate::gpu::{Gpu, Tensor};
use crate::ops::State;

/// Counters and running means of an epoch, on the adapter.
pub struct Running {
    /// All of it, in one buffer.
    all: Tensor,
    /// One [`State`].
    pub state: Tensor,
    /// The mean of each of the losses' terms ([`Running::TERMS`]), in nats.
    pub sums: Tensor,
    /// The means that kernels of latent variables keep: see [`crate::ops::latent::STATISTICS`].
    pub units: Tensor,
}

/// The same as the host has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// The counters.
    pub state: State,
    /// The mean of each term over the epoch's images so far, over all of its images.
    pub sums: Vec<f32>,
    /// The means of the latent variables' statistics, likewise.
    pub units: Vec<f32>,
}

impl Running {
    /// Terms that there is place for.
    pub const TERMS: usize = Tensor::ALIGNMENT;

    /// Zeros; with place for so many `units`.
    pub fn new(units: usize) -> Self {
        const SUMS: usize = Tensor::ALIGNMENT;
        const UNITS: usize = SUMS + Running::TERMS;
        let all = Tensor::zeros("running", &[UNITS + units]);
        let state = all.view(0, &[State::WORDS]);
        let sums = all.view(SUMS, &[Self::TERMS]);
        Self { state, sums, units: all.view(UNITS, &[units]), all }
    }

    /// Goes on from `totals`; what they lack is zero.
    pub fn write(&self, gpu: &Gpu, totals: &Totals) {
        let mut words = vec![0; self.all.len()];
        let state: [u32; State::WORDS] = bytemuck::cast(totals.state);
        words[..State::WORDS].copy_from_slice(&state);
        for (tensor, values) in [(&self.sums, &totals.sums), (&self.units, &totals.units)] {
            let to = words[tensor.offset()..].iter_mut();
            to.zip(values).for_each(|(word, value)| *word = value.to_bits());
        }
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
            part.iter().map(|word| f32::from_bits(*word)).collect()
        };
        let state = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words[..State::WORDS]));
        Ok(Totals { state, sums: floats(&self.sums), units: floats(&self.units) })
    }
}
