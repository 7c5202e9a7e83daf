//! A fresh permutation of the dataset for each epoch.

use super::{Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/shuffle.wgsl`.
pub const SHADER: Shader = Shader::new("shuffle");

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
    let [low, high] = halves(seed);
    let half_bits = half_bits(order.len());
    let params = [order.len() as u32, half_bits, low, high, Stream::Shuffle as u32, 0, 0, 0];
    let tensors = [("state", state), ("order", order)];
    recording.record_elements(kernel, label, &params, &tensors, order.len());
}

/// Half the bits of the Feistel network: the least with 4^half_bits >= count, and at least one.
fn half_bits(count: usize) -> u32 {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(1)
}
