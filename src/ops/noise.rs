//! Standard normal noise from a counter-based generator.

use serde::Serialize;

use super::{State, Stream, halves};
use crate::error::Result;
use crate::gpu::{Gpu, Recording, Shader, Tensor};

/// `shaders/noise.wgsl`.
pub const SHADER: Shader = Shader::new("noise");

#[derive(Serialize)]
struct Params {
    count: usize,
    columns: usize,
    stride: usize,
    number: u32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

/// The key of random draws: the run's seed, one of its streams, and a number of the caller's, so
/// that a step can draw several times from one stream.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The run's seed.
    pub seed: u64,
    /// The purpose of the draw.
    pub stream: Stream,
    /// The draw's number in a step.
    pub number: u32,
}

/// Fills `epsilon`, a vector or a matrix, with standard normals: a pure function of `draw`, the
/// step in `state` and the element's index, padding not counted (Threefry-4x32-20, then Box and
/// Muller).
pub fn normal(
    recording: &mut Recording,
    label: &str,
    draw: Draw,
    state: &Tensor,
    epsilon: &Tensor,
) {
    let kernel = SHADER.kernel("normal", &[]);
    let Draw { seed, stream, number } = draw;
    let [seed_low, seed_high] = halves(seed);
    let params = Params {
        count: epsilon.len(),
        columns: epsilon.columns(),
        stride: epsilon.stride(),
        number,
        seed_low,
        seed_high,
        stream: stream as u32,
    };
    let tensors = [("state", state), ("epsilon", epsilon)];
    recording.record_elements(kernel, label, &params, &tensors, epsilon.len().div_ceil(4));
}

/// Number of rows that [`standard_normals`] draws at once.
pub const BLOCK: usize = 256;

/// Standard normals (rows, columns) on the host, which serve as draws from the prior. They are a
/// function of `seed`, and the first rows do not depend on how many are drawn.
///
/// # Errors
///
/// [`crate::Error::Gpu`] if the adapter fails.
pub fn standard_normals(gpu: &Gpu, size: [usize; 2], seed: u64) -> Result<Vec<f32>> {
    standard_normals_from(gpu, 0, size, seed)
}

/// The rows of [`standard_normals`] from number `first` on, which is a multiple of [`BLOCK`].
pub(crate) fn standard_normals_from(
    gpu: &Gpu,
    first: usize,
    [rows, columns]: [usize; 2],
    seed: u64,
) -> Result<Vec<f32>> {
    let (state, block) = (State::tensor("state"), Tensor::zeros("prior", &[BLOCK, columns]));
    let mut recording = Recording::new(gpu.report());
    let draw = Draw { seed, stream: Stream::Sample, number: 0 };
    normal(&mut recording, "prior", draw, &state, &block);
    let plan = recording.compile(gpu);
    let mut draws = Vec::new();
    for number in first / BLOCK..first / BLOCK + rows.div_ceil(BLOCK) {
        let step = number as u32;
        State { step, ..State::default() }.write(gpu, &state);
        plan.run();
        draws.extend(block.read::<f32>(gpu)?);
    }
    draws.truncate(rows * columns);
    Ok(draws)
}
