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

/// The permutation that [`permutation`] fills an order with, for the host: any of its indices by
/// itself.
pub struct Permutation {
    count: u32,
    half_bits: u32,
    /// Keys of the eight rounds.
    keys: [u32; 8],
}

impl Permutation {
    /// The permutation of 0..count in epoch number `epoch`, from 0.
    pub fn new(seed: u64, epoch: u32, count: usize) -> Self {
        let [low, high] = halves(seed);
        let key = [low, high, 0, Stream::Shuffle as u32];
        let [first, second] = [0, 1].map(|half| threefry([half, epoch, 0, 0], key));
        let mut keys = [0; 8];
        keys[..4].copy_from_slice(&first);
        keys[4..].copy_from_slice(&second);
        Self { count: count as u32, half_bits: half_bits(count), keys }
    }

    /// The index at `position`, both below the count.
    pub fn at(&self, position: u32) -> u32 {
        let mut to = self.feistel(position);
        while to >= self.count {
            to = self.feistel(to);
        }
        to
    }

    fn feistel(&self, index: u32) -> u32 {
        let mask = (1u32 << self.half_bits) - 1;
        let (mut left, mut right) = (index >> self.half_bits, index & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (scramble(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// murmur3's finalizer.
fn scramble(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
    x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
    x ^ (x >> 16)
}

/// Threefry-4x32-20 (Salmon et al. 2011), as `shaders/shared/rng.wgsl` has it.
fn threefry(counter: [u32; 4], key: [u32; 4]) -> [u32; 4] {
    /// Rotations of the two pairs of words in each of eight rounds, over and over.
    const ROTATIONS: [[u32; 2]; 8] =
        [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];
    let parity = key.iter().fold(0x1BD1_1BDA, |parity, word| parity ^ word);
    let schedule = [key[0], key[1], key[2], key[3], parity];
    let mut x = std::array::from_fn(|i| counter[i].wrapping_add(schedule[i]));
    let mix = |x: &mut [u32; 4], to: usize, from: usize, by: u32| {
        x[to] = x[to].wrapping_add(x[from]);
        x[from] = x[from].rotate_left(by) ^ x[to];
    };
    for round in 0..20 {
        let [first, second] = ROTATIONS[round % 8];
        let [one, other] = if round % 2 == 0 { [1, 3] } else { [3, 1] };
        mix(&mut x, 0, one, first);
        mix(&mut x, 2, other, second);
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for (i, word) in x.iter_mut().enumerate() {
                *word = word.wrapping_add(schedule[(injection + i) % 5]);
            }
            x[3] = x[3].wrapping_add(injection as u32);
        }
    }
    x
}

/// Half the bits of the Feistel network: the least with 4^half_bits >= count, and at least one.
fn half_bits(count: usize) -> u32 {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(1)
}
