//! Standard normal noise from a counter-based generator.

use bytemuck::{Pod, Zeroable};

use super::{Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/noise.wgsl`.
pub const SHADER: Shader = Shader::new("noise");

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    columns: u32,
    number: u32,
    seed: [u32; 2],
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
    let count = epsilon.len() as u32;
    let params = Params { count, seed: halves(seed), stream: stream as u32, ..Zeroable::zeroed() };
    let tensors = [("state", state), ("epsilon", epsilon)];
    recording.record_elements(kernel, label, &params, &tensors, epsilon.len().div_ceil(4));
}

/// Fills x (rows, columns), padded, with standard normals as [`normal`] does, four to a draw. A step
/// draws several times by different values of `number`.
pub fn matrix(
    recording: &mut Recording,
    label: &str,
    (seed, stream, number): (u64, Stream, u32),
    state: &Tensor,
    x: &Tensor,
) {
    let (kernel, quads) = (SHADER.kernel("matrix", &[]), super::quads(label, &[x]));
    let params = Params {
        count: quads as u32,
        columns: x.columns() as u32,
        number,
        seed: halves(seed),
        stream: stream as u32,
    };
    recording.record_elements(kernel, label, &params, &[("state", state), ("x", x)], quads);
}
