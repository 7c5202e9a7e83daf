use vae_gpu::gpu::Gpu;
use vae_gpu::ops::likelihood::{self, NAMES};

use crate::check::{self, Guarded};

/// Rows and pixels.
const SIZES: [[usize; 2]; 7] =
    [[1, 1], [63, 257], [257, 63], [3, 1757], [1757, 1], [2, 64], [128, 784]];

/// The negative log-likelihood of x, from logits by the definition −x log p − (1 − x) log(1 − p):
/// log p and log(1 − p) without cancellation, since logits reach 1e4.
fn pixel(name: &str, output: f64, x: f64) -> f64 {
    let log_sigmoid = |l: f64| l.min(0.0) - (-l.abs()).exp().ln_1p();
    match name {
        "bernoulli" => -x * log_sigmoid(output) - (1.0 - x) * log_sigmoid(-output),
        "gaussian" => (output - x).powi(2),
        _ => panic!("{name} has no oracle"),
    }
}

/// Its derivative by the output.
fn pixel_slope(name: &str, output: f64, x: f64) -> f64 {
    match name {
        "bernoulli" => 1.0 / (1.0 + (-output).exp()) - x,
        "gaussian" => 2.0 * (output - x),
        _ => panic!("{name} has no oracle"),
    }
}

/// The loss of each row, and the gradient of their mean.
fn oracle(name: &str, pixels: usize, x: &[f64], output: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let rows = (x.len() / pixels) as f64;
    let pairs = || output.iter().zip(x);
    let losses: Vec<_> = pairs().map(|(&o, &x)| pixel(name, o, x)).collect();
    let recon = losses.chunks(pixels).map(|row| row.iter().sum()).collect();
    let doutput = pairs().map(|(&o, &x)| pixel_slope(name, o, x) / rows).collect();
    (recon, doutput)
}

fn assert_loss(gpu: &Gpu, name: &str, [rows, pixels]: [usize; 2], x: &[f32], output: &[f32]) {
    let recon = Guarded::roomy(gpu, &[rows]);
    let doutput = Guarded::roomy(gpu, &[rows, pixels]);
    let [on_x, on_output] = [x, output].map(|values| check::input(gpu, &[rows, pixels], values));
    check::run(gpu, |plan| {
        let (recon, doutput) = (&recon.tensor, &doutput.tensor);
        likelihood::loss(plan, "test", name, &on_x, &on_output, recon, doutput);
    });
    let (want_recon, want_doutput) = oracle(name, pixels, &check::wide(x), &check::wide(output));
    let what = format!("{name}, {rows} x {pixels}");
    // A pixel's terms round to 2^-24 of the larger; the logarithm near 1 may be wrong by 2^-21.
    let absolute = 5e-7 * pixels as f64;
    let recon = recon.floats(gpu);
    check::assert_each(&format!("{what}, recon"), &recon, &want_recon, 1e-5, absolute);
    let absolute = 5e-7 / rows as f64;
    let doutput = doutput.floats(gpu);
    check::assert_each(&format!("{what}, doutput"), &doutput, &want_doutput, 1e-5, absolute);
}

#[test]
pub fn loss() {
    let Some(gpu) = check::gpu() else { return };
    for (name, sizes) in NAMES.iter().flat_map(|name| SIZES.map(|sizes| (name, sizes))) {
        let len = sizes[0] * sizes[1];
        let x = check::random(1, len, 0.0..1.0);
        let output = check::random(2, len, -6.0..6.0);
        assert_loss(gpu, name, sizes, &x, &output);
    }
}

/// Pixel by pixel: logits far beyond where exp overflows, with black, grey and white pixels.
#[test]
fn extremes_stay_finite_and_right() {
    let Some(gpu) = check::gpu() else { return };
    let sizes = [1e-4, 5.0, 20.0, 89.0, 100.0, 1e4];
    let outputs: Vec<f32> = sizes.iter().flat_map(|&size| [size, -size]).collect();
    let pairs = || [0.0, 0.5, 1.0].into_iter().flat_map(|x| outputs.iter().map(move |&o| (x, o)));
    let (x, output): (Vec<f32>, Vec<f32>) = pairs().unzip();
    for name in NAMES {
        assert_loss(gpu, name, [x.len(), 1], &x, &output);
        assert_loss(gpu, name, [1, x.len()], &x, &output);
    }
}

/// A nearly certain and right pixel has a small loss and gradient, not none.
#[test]
fn certainty_keeps_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    let output = [-6.0f32, -9.0, -12.0, -15.0];
    let recon = Guarded::new(gpu, &[4]);
    let doutput = Guarded::new(gpu, &[4, 1]);
    let on_x = check::input(gpu, &[4, 1], &[0.0f32; 4]);
    let on_output = check::input(gpu, &[4, 1], &output);
    check::run(gpu, |plan| {
        let (recon, doutput) = (&recon.tensor, &doutput.tensor);
        likelihood::loss(plan, "test", "bernoulli", &on_x, &on_output, recon, doutput);
    });
    let (want_recon, want_doutput) = oracle("bernoulli", 1, &[0.0; 4], &check::wide(&output));
    check::assert_each("recon", &recon.floats(gpu), &want_recon, 1e-5, 0.0);
    check::assert_each("doutput", &doutput.floats(gpu), &want_doutput, 1e-5, 0.0);
}

/// More rows than most adapters take workgroups along x.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let rows = 65_535 + 257;
    let x = check::random(3, rows, 0.0..1.0);
    let output = check::random(4, rows, -6.0..6.0);
    assert_loss(gpu, "bernoulli", [rows, 1], &x, &output);
}

#[test]
fn oracle_gradient_is_the_derivative() {
    let (rows, pixels) = (3, 5);
    let x = check::wide(&check::random(5, rows * pixels, 0.0..1.0));
    let output = check::wide(&check::random(6, rows * pixels, -4.0..4.0));
    for name in NAMES {
        let mean =
            |output: &[f64]| oracle(name, pixels, &x, output).0.iter().sum::<f64>() / rows as f64;
        check::assert_gradient(name, mean, &output, &oracle(name, pixels, &x, &output).1);
    }
}
