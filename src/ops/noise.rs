//! Standard normal noise from a counter-based generator.

use serde::Serialize;

use super::{Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/noise.wgsl`.
pub const SHADER: Shader = Shader::new("noise");

#[derive(Serialize)]
struct Params {
    count: usize,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

/// Fills `epsilon` with standard normals: a pure function of `seed`, `stream`, the step in `state`
/// and the element's index (Threefry-4x32-20, then Box and Muller).
pub fn normal(
    recording: &mut Recording,
    label: &str,
    seed: u64,
    stream: Stream,
    state: &Tensor,
    epsilon: &Tensor,
) {
    let kernel = SHADER.kernel("normal", &[]);
    let [seed_low, seed_high] = halves(seed);
    let params = Params { count: epsilon.len(), seed_low, seed_high, stream: stream as u32 };
    let tensors = [("state", state), ("epsilon", epsilon)];
    recording.record_elements(kernel, label, &params, &tensors, epsilon.len().div_ceil(4));
}
