//! Standard normal noise from a counter-based generator.

use bytemuck::{Pod, Zeroable};

use super::{State, Stream, halves};
use crate::error::Result;
use crate::gpu::{Gpu, Recording, Shader, Tensor};

/// `shaders/noise.wgsl`.
pub const SHADER: Shader = Shader::new("noise");

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    columns: u32,
    stride: u32,
    number: u32,
    seed: [u32; 2],
    stream: u32,
}

/// Which draws are wanted: the run's seed, one of its streams, and a number of the caller's, by which
/// a step draws several times from one stream.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The run's seed.
    pub seed: u64,
    /// What is drawn for.
    pub stream: Stream,
    /// The draw's number in a step.
    pub number: u32,
}

/// Fills `epsilon`, a vector or a matrix, with standard normals: a pure function of `draw`, the step in
/// `state` and the element's index, padding not counted (Threefry-4x32-20, then Box and Muller).
pub fn normal(
    recording: &mut Recording,
    label: &str,
    draw: Draw,
    state: &Tensor,
    epsilon: &Tensor,
) {
    let kernel = SHADER.kernel("normal", &[]);
    let Draw { seed, stream, number } = draw;
    let params = Params {
        count: epsilon.len() as u32,
        columns: epsilon.columns() as u32,
        stride: epsilon.stride() as u32,
        number,
        seed: halves(seed),
        stream: stream as u32,
    };
    let tensors = [("state", state), ("epsilon", epsilon)];
    recording.record_elements(kernel, label, &params, &tensors, epsilon.len().div_ceil(4));
}

/// Rows that [`standard_normals`] draws at once.
pub const BLOCK: usize = 256;

/// Standard normals (rows, columns) on the host, as draws from a prior: a function of `seed`, where a row
/// is the same whatever their number.
///
/// # Errors
///
/// [`crate::Error::Gpu`] if the adapter fails.
pub fn standard_normals(gpu: &Gpu, [rows, columns]: [usize; 2], seed: u64) -> Result<Vec<f32>> {
    let (state, block) = (State::tensor("state"), Tensor::zeros("prior", &[BLOCK, columns]));
    let mut recording = Recording::new(gpu.report());
    let draw = Draw { seed, stream: Stream::Sample, number: 0 };
    normal(&mut recording, "prior", draw, &state, &block);
    let plan = recording.compile(gpu);
    let mut draws = Vec::new();
    for step in 0..rows.div_ceil(BLOCK) as u32 {
        State { step, ..State::default() }.write(gpu, &state);
        plan.run();
        draws.extend(block.read::<f32>(gpu)?);
    }
    draws.truncate(rows * columns);
    Ok(draws)
}
