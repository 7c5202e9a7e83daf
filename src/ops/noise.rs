//! Standard normal noise from a counter-based generator.

use super::{Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/noise.wgsl`.
pub const SHADER: Shader = Shader::new("noise");

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
    let [low, high] = halves(seed);
    let params = [epsilon.len() as u32, low, high, stream as u32];
    let tensors = [("state", state), ("epsilon", epsilon)];
    recording.record_elements(kernel, label, &params, &tensors, epsilon.len().div_ceil(4));
}
