//! What adds up over an epoch.

use super::ModelConfig;
use crate::error::Result;
use crate::gpu::{Gpu, Tensor};
use crate::ops::{State, latent};

/// What adds up over an epoch, on the adapter.
pub struct Running {
    /// Both, in one buffer.
    all: Tensor,
    /// One [`State`].
    pub state: Tensor,
    /// See [`latent::STATISTICS`].
    pub units: Tensor,
}

impl Running {
    /// Zeros.
    pub fn new(config: &ModelConfig) -> Self {
        let units = latent::STATISTICS * config.latent;
        let all = Tensor::zeros("running", &[Tensor::ALIGNMENT + units]);
        let state = all.view(0, &[State::WORDS]);
        Self { state, units: all.view(Tensor::ALIGNMENT, &[units]), all }
    }

    /// Goes on from `state` and `units`.
    pub fn write(&self, gpu: &Gpu, state: &State, units: &[f32]) {
        let mut words: Vec<u32> = bytemuck::cast_slice(&[*state]).to_vec();
        words.resize(Tensor::ALIGNMENT, 0);
        words.extend(units.iter().map(|unit| unit.to_bits()));
        self.all.write(gpu, &words);
    }

    /// Waits for all steps and reads both.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn read(&self, gpu: &Gpu) -> Result<(State, Vec<f32>)> {
        let words: Vec<u32> = self.all.read(gpu)?;
        let (state, units) = words.split_at(Tensor::ALIGNMENT);
        let state = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&state[..State::WORDS]));
        Ok((state, units.iter().map(|unit| f32::from_bits(*unit)).collect()))
    }
}
