//! The likelihoods, in the epilogue of `forward_loss`.

use vae_gpu::gpu::Gpu;
use vae_gpu::ops::likelihood::NAMES;

use super::forms::Case;
use super::{oracle, run};
use crate::check;

/// The loss and its gradient for what goes into the output's activation, `pre` (rows, pixels).
fn run_loss(
    gpu: &Gpu,
    [activation, likelihood]: [&'static str; 2],
    [rows, pixels]: [usize; 2],
    x: &[f32],
    pre: &[f32],
) -> (f32, Vec<f32>) {
    let case = Case::identity("forward_loss", rows, pixels, pre).with("x", x);
    let activation = (activation != "none").then_some(activation);
    let case = Case { activation, likelihood, ..case };
    let (mut written, loss) = run::by_wrapper(gpu, &case, Some(run::small()));
    (loss.unwrap() as f32, written.swap_remove(0))
}

fn assert_loss(gpu: &Gpu, names: [&'static str; 2], sizes: [usize; 2], x: &[f32], pre: &[f32]) {
    let (loss, gradient) = run_loss(gpu, names, sizes, x, pre);
    let [rows, pixels] = sizes;
    let (want_loss, want) = oracle::loss(names, rows, &check::wide(pre), &check::wide(x));
    let what = format!("{names:?}, {rows} x {pixels}");
    // A pixel's terms round to 2^-24 of the larger; the logarithm near 1 may be wrong by 2^-21.
    let absolute = 5e-7 * x.len() as f64;
    check::assert_each(&format!("{what}, loss"), &[loss], &[want_loss], 1e-5, absolute);
    let absolute = 5e-7 / rows as f64;
    check::assert_each(&format!("{what}, gradient"), &gradient, &want, 1e-5, absolute);
}

#[test]
fn losses_and_gradients_are_right_one_by_one() {
    let Some(gpu) = check::gpu() else { return };
    let activations = ["none", "sigmoid", "softplus"];
    for names in NAMES.iter().flat_map(|likelihood| activations.map(|a| [a, likelihood])) {
        for sizes in [[1, 1], [257, 63], [3, 257], [1757, 1], [2, 64]] {
            let len = sizes[0] * sizes[1];
            let x = check::random(1, len, 0.0..1.0);
            let pre = check::random(2, len, -6.0..6.0);
            assert_loss(gpu, names, sizes, &x, &pre);
        }
    }
}

/// Pixel by pixel: logits far beyond where exp overflows, with black, grey and white pixels.
#[test]
fn extremes_stay_finite_and_right() {
    let Some(gpu) = check::gpu() else { return };
    for size in [1e-4, 5.0, 20.0, 89.0, 100.0, 1e4] {
        let outputs = [size, -size, size, -size, size, -size];
        let x = [0.0, 0.0, 0.5, 0.5, 1.0, 1.0];
        for name in NAMES {
            assert_loss(gpu, ["none", name], [6, 1], &x, &outputs);
            assert_loss(gpu, ["none", name], [1, 6], &x, &outputs);
            for (x, output) in x.iter().zip(outputs) {
                assert_loss(gpu, ["none", name], [1, 1], &[*x], &[output]);
            }
        }
    }
}

/// A nearly certain and right pixel has a small loss and gradient, not none.
#[test]
fn certainty_keeps_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    for output in [-6.0f32, -9.0, -12.0, -15.0] {
        let names = ["none", "bernoulli"];
        let (loss, gradient) = run_loss(gpu, names, [1, 1], &[0.0], &[output]);
        let (want_loss, want) = oracle::loss(names, 1, &[output.into()], &[0.0]);
        check::assert_each("loss", &[loss], &[want_loss], 1e-5, 0.0);
        check::assert_each("gradient", &gradient, &want, 1e-5, 0.0);
    }
}
