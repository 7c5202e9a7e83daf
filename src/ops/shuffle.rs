//! A fresh permutation of the dataset for each epoch.

use serde::Serialize;

use super::{Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/shuffle.wgsl`.
pub const SHADER: Shader = Shader::new("shuffle");

#[derive(Serialize)]
struct Params {
    count: usize,
    half_bits: u32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

/// Fills `order` (count) with a permutation of 0..count: a pure function of `seed` and the epoch
/// in `state`. count is at most 2³⁰.
pub fn permutation(
    recording: &mut Recording,
    label: &str,
    seed: u64,
    state: &Tensor,
    order: &Tensor,
) {
    let kernel = SHADER.kernel("permutation", &[]);
    let [seed_low, seed_high] = halves(seed);
    let params = Params {
        count: order.len(),
        half_bits: half_bits(order.len()),
        seed_low,
        seed_high,
        stream: Stream::Shuffle as u32,
    };
    let tensors = [("state", state), ("order", order)];
    recording.record_elements(kernel, label, &params, &tensors, order.len());
}

/// Half the bits of the Feistel network: the least with 4^half_bits >= count, and at least one.
fn half_bits(count: usize) -> u32 {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(1)
}
