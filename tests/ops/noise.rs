use std::f64::consts::TAU;

use serde_json::json;
use vae_gpu::gpu::{Gpu, Shader};
use vae_gpu::ops::noise::{self, Draw};
use vae_gpu::ops::{State, Stream, Stream::*};

use crate::check::{self, Guarded};
use crate::erf::normal_cdf;
use crate::threefry::threefry;

pub const SEED: u64 = 0x0123_4567_89AB_CDEF;

/// Four normals by Box and Muller. The words become fractions in 32 bits, as on the adapter, since
/// close to one a rounding of the fraction moves the radius; all the rest is in 64.
pub fn normals(words: [u32; 4]) -> [f64; 4] {
    let [u, a, v, b] = words.map(|word| {
        let fraction = word as f32 / 2f32.powi(32) + 0.5 / 2f32.powi(32);
        f64::from(fraction)
    });
    let [radius_u, radius_v] = [u, v].map(|u| (-2.0 * u.ln()).sqrt());
    let [(sin_a, cos_a), (sin_b, cos_b)] = [a, b].map(|a| (TAU * a).sin_cos());
    [radius_u * cos_a, radius_u * sin_a, radius_v * cos_b, radius_v * sin_b]
}

pub fn oracle(seed: u64, stream: Stream, step: u32, len: usize) -> Vec<f64> {
    let key = [seed as u32, (seed >> 32) as u32, 0, stream as u32];
    let draws = (0..len.div_ceil(4) as u32).map(|i| threefry([i, step, 0, 0], key));
    draws.flat_map(normals).take(len).collect()
}

fn run(gpu: &Gpu, seed: u64, stream: Stream, step: u32, len: usize) -> Vec<f32> {
    let state = State::tensor("state");
    State { step, epoch: 77, row: 88, ..State::default() }.write(gpu, &state);
    let epsilon = Guarded::new(gpu, &[len]);
    check::run(gpu, |recording| {
        let draw = Draw { seed, stream, number: 0 };
        noise::normal(recording, "test", draw, &state, &epsilon.tensor)
    });
    epsilon.floats(gpu)
}

/// WGSL bounds the logarithm near 1 only by 2⁻²¹ and sines not at all outside ±π: hence a wide bound
/// on each, and a narrow one on all together.
#[test]
pub fn normal() {
    let Some(gpu) = check::gpu() else { return };
    for len in [1, 2, 3, 63, 257, 1757, 20_000] {
        for (stream, step) in [(Train, 0), (Evaluate, 1), (Sample, u32::MAX)] {
            let got = run(gpu, SEED, stream, step, len);
            let want = oracle(SEED, stream, step, len);
            let what = format!("{len} of {stream:?}, step {step}");
            check::assert_each(&what, &got, &want, 0.0, 1e-3);
            check::assert_norm(&what, &got, &want, 1e-5);
        }
    }
}

/// Runs the shared file's `normals` alone.
const NORMALS: Shader = Shader::from_text(
    "normals_test",
    "
    #import shared/rng

    @group(0) @binding(0) var<uniform> count: u32;
    @group(0) @binding(1) var<storage, read> words: array<vec4<u32>>;
    @group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;

    @compute @workgroup_size(64)
    fn draw(@builtin(global_invocation_id) at: vec3<u32>) {
        if at.x < count {
            values[at.x] = normals(words[at.x]);
        }
    }",
);

/// The words that a million draws do not meet: the logarithm's argument goes from 2⁻³³ to 1.
#[test]
fn extreme_words_give_finite_normals() {
    let Some(gpu) = check::gpu() else { return };
    let extremes = [0, 1, 2, 255, 1 << 24, 1 << 31, !0 << 8, !0 - 1, !0];
    let words: Vec<[u32; 4]> =
        extremes.iter().flat_map(|&u| extremes.map(|a| [u, a, a, u])).collect();
    let count = words.len();
    let on_words = check::input(gpu, &[count, 4], &words);
    let values = Guarded::roomy(gpu, &[count, 4]);
    check::run(gpu, |recording| {
        let tensors = [("words", &on_words), ("values", &values.tensor)];
        let kernel = NORMALS.kernel("draw", &[]);
        recording.record_elements(kernel, "test", &count, &tensors, count);
    });
    let want: Vec<_> = words.into_iter().flat_map(normals).collect();
    // A logarithm of 1 that is 2⁻²¹ off makes a radius of 1e-3 out of none.
    check::assert_each("extremes", &values.floats(gpu), &want, 1e-5, 1.5e-3);
}

/// In a matrix the elements are counted without the padding, which is zero; other numbers draw others.
#[test]
fn matrices_and_numbers() {
    let Some(gpu) = check::gpu() else { return };
    for (rows, columns) in [(1, 1), (3, 4), (63, 2), (257, 7), (2, 1757)] {
        let draw = |number| {
            let state = State::tensor("state");
            let x = Guarded::new(gpu, &[rows, columns]);
            check::run(gpu, |recording| {
                let draw = Draw { seed: SEED, stream: Train, number };
                noise::normal(recording, "test", draw, &state, &x.tensor);
            });
            x.floats(gpu)
        };
        let (first, second) = (draw(0), draw(1));
        assert_eq!(first, run(gpu, SEED, Train, 0, rows * columns), "{rows}x{columns}");
        assert!(first.iter().zip(&second).all(|(a, b)| a != b), "{rows}x{columns}");
    }
}

#[test]
fn an_element_does_not_depend_on_how_many_there_are() {
    let Some(gpu) = check::gpu() else { return };
    let all = run(gpu, SEED, Train, 5, 1757);
    for len in [1, 2, 3, 4, 5, 63, 64, 255, 256, 257, 1756] {
        assert_eq!(run(gpu, SEED, Train, 5, len), all[..len], "the first {len}");
    }
}

#[test]
fn seeds_streams_and_steps_draw_apart() {
    let Some(gpu) = check::gpu() else { return };
    let base = 42;
    let draws = [
        (base, Train, 0),
        (base, Evaluate, 0),
        (base, Sample, 0),
        (base, Train, 1),
        (base, Train, 1 << 31),
        (base + 1, Train, 0),
        (base + (1 << 32), Train, 0),
        (base << 32, Train, 0),
    ];
    let values = draws.map(|(seed, stream, step)| run(gpu, seed, stream, step, 1000));
    for a in 0..draws.len() {
        for b in 0..a {
            let equal = values[a].iter().zip(&values[b]).filter(|(a, b)| a == b).count();
            assert_eq!(equal, 0, "{:?} and {:?}", draws[a], draws[b]);
        }
    }
    assert_eq!(run(gpu, base, Train, 0, 1000), values[0], "the same again");
}

/// The count, not the binding or the grid, ends the work.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    for count in [1, 61, 62, 63, 64, 257] {
        let state = State::tensor("state");
        let epsilon = Guarded::roomy(gpu, &[count]);
        check::run(gpu, |recording| {
            let tensors = [("state", &state), ("epsilon", &epsilon.tensor)];
            let kernel = noise::SHADER.kernel("normal", &[]);
            let params = json!({
                "count": count, "columns": 1, "stride": 1, "number": 0, "seed_low": 1,
                "seed_high": 2, "stream": 0,
            });
            recording.record_flat(kernel, "test", &params, &tensors, 3);
        });
        assert!(epsilon.floats(gpu).iter().all(|value| value.is_finite()));
    }
}

/// A million draws: moments within four standard errors, neighbours uncorrelated, and the whole
/// distribution by Kolmogorov and Smirnov at the 0.1 % level.
#[test]
fn a_million_are_standard_normal() {
    let Some(gpu) = check::gpu() else { return };
    let count = 1_000_000;
    let values = run(gpu, 1, Train, 3, count);
    let mut values = check::wide(&values);
    let n = count as f64;
    let moment = |power| values.iter().map(|v| v.powi(power)).sum::<f64>() / n;
    // The variances of x, x², x³ and x⁴ are 1, 2, 15 and 96.
    for (power, mean, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        let error = (moment(power) - mean) / f64::sqrt(variance / n);
        assert!(error.abs() < 4.0, "moment {power}: {error} standard errors off");
    }
    for lag in 1..=5 {
        let products = values.iter().zip(&values[lag..]).map(|(a, b)| a * b);
        let error = products.sum::<f64>() / n.sqrt();
        assert!(error.abs() < 4.0, "lag {lag}: {error} standard errors off");
    }
    // No fraction is below 2⁻³³.
    let largest = values.iter().fold(0.0f64, |largest, v| largest.max(v.abs()));
    assert!((4.5..6.77).contains(&largest), "the largest is {largest}");

    values.sort_by(f64::total_cmp);
    let distance = values.iter().enumerate().map(|(i, &v)| {
        let (below, cdf) = (i as f64 / n, normal_cdf(v));
        (cdf - below).abs().max((cdf - below - 1.0 / n).abs())
    });
    let statistic = distance.fold(0.0, f64::max) * n.sqrt();
    assert!(statistic < 1.9495, "Kolmogorov-Smirnov: {statistic}");
}
