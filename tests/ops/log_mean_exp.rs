use serde_json::json;
use vae_gpu::ops::log_mean_exp;

use crate::check::{self, Guarded};
use crate::maps::{self, dot};

/// Examples and samples of each.
const SIZES: [[usize; 2]; 6] = [[1, 1], [63, 5], [257, 50], [5, 1757], [1757, 1], [64, 63]];

/// y
fn bounds(samples: usize, nats: &[f64]) -> Vec<f64> {
    let bound = |nats: &[f64]| {
        let least = nats.iter().copied().fold(f64::INFINITY, f64::min);
        let sum: f64 = nats.iter().map(|nats| (least - nats).exp()).sum();
        least - (sum / nats.len() as f64).ln()
    };
    nats.chunks(samples).map(bound).collect()
}

/// The normalized weights.
fn weights(samples: usize, nats: &[f64]) -> Vec<f64> {
    let of = |nats: &[f64]| -> Vec<f64> {
        let least = nats.iter().copied().fold(f64::INFINITY, f64::min);
        let all: Vec<f64> = nats.iter().map(|nats| (least - nats).exp()).collect();
        let sum: f64 = all.iter().sum();
        all.iter().map(|weight| weight / sum).collect()
    };
    nats.chunks(samples).flat_map(of).collect()
}

/// dx
fn gradient(samples: usize, nats: &[f64], dy: &[f64]) -> Vec<f64> {
    weights(samples, nats).iter().enumerate().map(|(i, w)| w * dy[i / samples]).collect()
}

/// Nats as images have them: far from zero, where exp itself would be nothing; and some very apart.
fn nats([examples, samples]: [usize; 2]) -> Vec<f32> {
    let mut nats = check::random(1, examples * samples, 90.0..120.0);
    nats.iter_mut().step_by(7).for_each(|nats| *nats = 3000.0 - 5.0 * *nats);
    nats
}

#[test]
fn oracle_is_the_gradient() {
    for [examples, samples] in [[3, 4], [2, 1]] {
        let x = check::wide(&check::random(1, examples * samples, -3.0..3.0));
        let dy = check::wide(&check::random(2, examples, -1.0..1.0));
        let want = gradient(samples, &x, &dy);
        check::assert_gradient("nats", |x| dot(&dy, &bounds(samples, x)), &x, &want);
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, samples] in SIZES {
        let x = nats(sizes);
        let on_x = check::input(gpu, &[examples * samples, 1], &x);
        let (y, w) =
            (Guarded::new(gpu, &[examples, 1]), Guarded::new(gpu, &[examples * samples, 1]));
        check::run(gpu, |recording| {
            log_mean_exp::forward(recording, "test", &on_x, &w.tensor, &y.tensor);
        });
        let (what, x) = (format!("{sizes:?}"), check::wide(&x));
        check::assert_each(&what, &y.floats(gpu), &bounds(samples, &x), 1e-6, 1e-5);
        // exp of a difference of numbers around 100, each of which has seven digits.
        check::assert_each(&what, &w.floats(gpu), &weights(samples, &x), 1e-4, 1e-7);
        check::assert_pads(gpu, [examples, 1], |p, y| {
            log_mean_exp::forward(p, "test", &on_x, &w.tensor, y);
        });
        check::assert_pads(gpu, [examples * samples, 1], |p, w| {
            log_mean_exp::forward(p, "test", &on_x, w, &y.tensor);
        });
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, samples] in SIZES {
        let w = check::random(1, examples * samples, 0.0..1.0);
        let dy = check::random(2, examples, -1.0..1.0);
        let shape = [examples * samples, 1];
        let on_w = check::input(gpu, &shape, &w);
        let on_dy = check::input(gpu, &[examples, 1], &dy);
        let dx = Guarded::new(gpu, &shape);
        let record = |p: &mut _, dx: &_| log_mean_exp::backward(p, "test", &on_dy, &on_w, dx);
        check::run(gpu, |recording| record(recording, &dx.tensor));
        let want: Vec<f64> = (0..w.len()).map(|i| f64::from(w[i] * dy[i / samples])).collect();
        check::assert_each(&format!("{sizes:?}"), &dx.floats(gpu), &want, 1e-6, 0.0);
        check::assert_pads(gpu, shape, record);
    }
}

/// A total of no samples.
fn none(examples: usize) -> Vec<f32> {
    log_mean_exp::NONE.repeat(examples)
}

/// Samples in several dispatches are as those in one.
#[test]
pub fn accumulate() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, samples] in SIZES {
        let x = nats([examples, 3 * samples]);
        // Each dispatch has a third of each example's samples.
        let third = |part: usize| -> Vec<f32> {
            x.chunks(samples).skip(part).step_by(3).flatten().copied().collect()
        };
        let total = Guarded::new(gpu, &[examples, 2]).fill(gpu, &none(examples));
        for part in 0..3 {
            let on_x = check::input(gpu, &[examples * samples, 1], &third(part));
            check::run(gpu, |recording| {
                log_mean_exp::accumulate(recording, "test", &on_x, &total.tensor);
            });
        }
        let bound = |total: &[f32]| total[0] - (total[1] / (3 * samples) as f32).ln();
        let got: Vec<f32> = total.floats(gpu).chunks(2).map(bound).collect();
        let want = bounds(3 * samples, &check::wide(&x));
        check::assert_each(&format!("{sizes:?}"), &got, &want, 1e-6, 1e-5);
    }
}

/// The number of examples, not the bindings or the grid, ends the work; and grids wrap.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (examples, samples) = (300, 2);
    let x = nats([examples, samples]);
    let many = maps::ample_input(gpu, [examples * samples, 1], &x);
    let dy = check::random(2, examples, -1.0..1.0);
    let few = maps::ample_input(gpu, [examples, 1], &dy);
    let params = json!({
        "examples": examples, "samples": samples, "row": 4, "y_row": 4,
    });
    let wide = check::wide(&x);
    let (y, w) =
        (Guarded::roomy(gpu, &[examples, 1]), Guarded::roomy(gpu, &[examples * samples, 1]));
    let tensors = [("nats", &many), ("weights", &w.tensor), ("y", &y.tensor)];
    let run = |entry, tensors: &[(&str, &_)]| {
        maps::run_kernel(gpu, (&log_mean_exp::SHADER, entry), &[], &params, tensors, examples);
    };
    run("forward", &tensors);
    check::assert_each("y", &y.floats(gpu), &bounds(samples, &wide), 1e-6, 1e-5);
    check::assert_each("weights", &w.floats(gpu), &weights(samples, &wide), 1e-4, 1e-7);
    let dx = Guarded::roomy(gpu, &[examples * samples, 1]);
    run("backward", &[("dy", &few), ("weights", &many), ("dx", &dx.tensor)]);
    let want: Vec<f64> = (0..x.len()).map(|i| wide[i] * f64::from(dy[i / samples])).collect();
    check::assert_each("dx", &dx.floats(gpu), &want, 1e-6, 0.0);
    let total = Guarded::roomy(gpu, &[examples, 2]).fill(gpu, &none(examples));
    run("accumulate", &[("nats", &many), ("total", &total.tensor)]);
    let least: Vec<f32> = total.floats(gpu).chunks(2).map(|total| total[0]).collect();
    let want: Vec<f64> = wide
        .chunks(samples)
        .map(|nats| nats.iter().copied().fold(f64::INFINITY, f64::min))
        .collect();
    check::assert_each("least", &least, &want, 0.0, 0.0);
}
