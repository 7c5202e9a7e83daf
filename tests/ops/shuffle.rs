use serde_json::json;
use vae_gpu::gpu::{Gpu, Plan, Recording, Tensor};
use vae_gpu::ops::{State, shuffle};

use crate::check::{self, Guarded, POISON};
use crate::threefry::threefry;

const SEED: u64 = 0xFEDC_BA98_7654_3210;

/// The CPU twin of `shaders/shuffle.wgsl`: eight Feistel rounds of murmur3's finalizer on the fewest
/// even bits that hold every index, walked until it lands on one.
fn twin(seed: u64, epoch: u32, count: u32) -> Vec<u32> {
    let half_bits = (1..=16).find(|half| 1u64 << (2 * half) >= u64::from(count)).unwrap();
    let mask = (1u32 << half_bits) - 1;
    let key = [seed as u32, (seed >> 32) as u32, 0, 1];
    let round_keys = [0, 1].map(|i| threefry([i, epoch, 0, 0], key));
    let scramble = |mut x: u32| {
        x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        x ^ (x >> 16)
    };
    let feistel = |index: u32| {
        let (mut left, mut right) = (index >> half_bits, index & mask);
        for key in round_keys.iter().flatten() {
            (left, right) = (right, left ^ (scramble(right ^ key) & mask));
        }
        (left << half_bits) | right
    };
    let walk = |index| {
        let mut to = feistel(index);
        while to >= count {
            to = feistel(to);
        }
        to
    };
    (0..count).map(walk).collect()
}

fn write_epoch(gpu: &Gpu, state: &Tensor, epoch: u32) {
    State { epoch, step: 5, row: 6, ..State::default() }.write(gpu, state);
}

fn run(gpu: &Gpu, seed: u64, epoch: u32, count: usize) -> Vec<u32> {
    let state = State::tensor("state");
    write_epoch(gpu, &state, epoch);
    let order = Guarded::new(gpu, &[count]);
    check::run(gpu, |recording| {
        shuffle::permutation(recording, "test", seed, &state, &order.tensor)
    });
    order.words(gpu)
}

fn assert_permutation(order: &[u32]) {
    let count = order.len();
    let mut seen = vec![false; count];
    for &index in order {
        let slot = seen.get_mut(index as usize);
        let slot = slot.unwrap_or_else(|| panic!("{index:#x} is none of {count} indices"));
        assert!(!std::mem::replace(slot, true), "{index} comes twice among {count}");
    }
}

#[test]
pub fn permutation() {
    let Some(gpu) = check::gpu() else { return };
    for count in [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 257, 1757, 4096, 4097, 60_000, 100_003] {
        for (seed, epoch) in [(SEED, 0), (SEED, 3), (1, u32::MAX)] {
            let order = run(gpu, seed, epoch, count);
            assert_permutation(&order);
            assert!(order == twin(seed, epoch, count as u32), "{count} in epoch {epoch}");
            let host = shuffle::Permutation::new(seed, epoch, count);
            let host: Vec<u32> = (0..count as u32).map(|position| host.at(position)).collect();
            assert!(order == host, "{count} in epoch {epoch} on the host");
        }
    }
}

/// The permutations of all sizes from 1 to 2,000 in one tensor, each in a view of its own.
struct Sizes {
    arena: Tensor,
    offsets: Vec<usize>,
}

impl Sizes {
    const LARGEST: usize = 2000;

    fn new() -> Self {
        let mut offsets = vec![0];
        for count in 1..=Self::LARGEST {
            let end = offsets[count - 1] + count;
            // At least one element of poison between any two.
            offsets.push((end + 1).next_multiple_of(Tensor::ALIGNMENT));
        }
        let arena = Tensor::zeros("orders", &[offsets[Self::LARGEST]]);
        Self { arena, offsets }
    }

    fn record(&self, recording: &mut Recording, seed: u64, state: &Tensor) {
        for count in 1..=Self::LARGEST {
            let order = self.arena.view(self.offsets[count - 1], &[count]);
            shuffle::permutation(recording, "test", seed, state, &order);
        }
    }

    /// Runs `plan` in `epoch`: the permutations in order of size.
    fn run(&self, gpu: &Gpu, plan: &Plan, state: &Tensor, epoch: u32) -> Vec<Vec<u32>> {
        self.arena.write(gpu, &vec![POISON; self.arena.len()]);
        write_epoch(gpu, state, epoch);
        plan.run();
        let words: Vec<u32> = self.arena.read(gpu).unwrap();
        let cut = |count| {
            let (order, gap) = words[self.offsets[count - 1]..self.offsets[count]].split_at(count);
            assert!(gap.iter().all(|&word| word == POISON), "written behind {count} elements");
            order.to_vec()
        };
        (1..=Self::LARGEST).map(cut).collect()
    }
}

#[test]
fn every_size_is_permuted_anew_in_every_epoch_and_for_every_seed() {
    let Some(gpu) = check::gpu() else { return };
    let state = State::tensor("state");
    let sizes = Sizes::new();
    let [mut recording, mut other] = [Recording::new(gpu.report()), Recording::new(gpu.report())];
    sizes.record(&mut recording, SEED, &state);
    sizes.record(&mut other, SEED ^ (1 << 40), &state);
    let [plan, other] = [recording, other].map(|recording| recording.compile(gpu));
    let mut runs: Vec<_> = (0..3).map(|epoch| sizes.run(gpu, &plan, &state, epoch)).collect();
    runs.push(sizes.run(gpu, &other, &state, 2)); // the last epoch again, by another seed
    for order in runs.iter().flatten() {
        assert_permutation(order);
    }
    // Below 8 elements there are few permutations, and equal ones are no fault.
    for pair in runs.windows(2) {
        for (a, b) in pair[0].iter().zip(&pair[1]).skip(7) {
            assert!(a != b, "the same order of {} twice", a.len());
        }
    }
}

/// The count, not the binding or the grid, ends the work.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    for count in [1usize, 15, 63, 64, 65] {
        let state = State::tensor("state");
        let order = Guarded::roomy(gpu, &[count]);
        check::run(gpu, |recording| {
            let tensors = [("state", &state), ("order", &order.tensor)];
            let kernel = shuffle::SHADER.kernel("permutation", &[]);
            // Four half bits hold any of these counts.
            let params = json!({
                "count": count, "half_bits": 4, "seed_low": 1, "seed_high": 2, "stream": 1,
            });
            recording.record_flat(kernel, "test", &params, &tensors, 3);
        });
        assert_permutation(&order.words(gpu));
    }
}

/// Where index 0 goes, and who comes first, over 2,000 epochs: chi-squared with 99 degrees of
/// freedom exceeds 148.23 once in a thousand.
#[test]
fn places_are_drawn_evenly() {
    let (count, epochs) = (100, 2000);
    let mut places = [vec![0; count], vec![0; count]];
    for epoch in 0..epochs {
        let order = twin(SEED, epoch, count as u32);
        places[0][order.iter().position(|&index| index == 0).unwrap()] += 1;
        places[1][order[0] as usize] += 1;
    }
    let expected = f64::from(epochs) / count as f64;
    for (what, places) in ["index 0 goes to", "first comes"].iter().zip(places) {
        let deviations = places.iter().map(|&seen| (f64::from(seen) - expected).powi(2));
        let statistic = deviations.sum::<f64>() / expected;
        assert!((50.0..148.23).contains(&statistic), "{what}: chi-squared {statistic}");
    }
}
