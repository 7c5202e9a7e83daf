mod draws;
mod golden;
pub mod oracle;

pub use draws::draw;

use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::likelihood::{
    Likelihood::{self, *},
    Scale::{Fixed, Learnt},
};
use vae_gpu::ops::{State, loss};

use crate::check::{self, Guarded};

/// Every likelihood, and a logarithm of the scale for those that learn it.
pub const ALL: [(Likelihood, f64); 9] = [
    (Bernoulli, 0.0),
    (ContinuousBernoulli, 0.0),
    (SquaredError, 0.0),
    (Gaussian(Fixed(0.1)), 0.0),
    (Gaussian(Learnt), -1.25),
    (Gaussian(Learnt), 0.75),
    (Laplace(Fixed(1.0)), 0.0),
    (Laplace(Fixed(0.1)), 0.0),
    (Laplace(Learnt), -0.5),
];

/// Rows, columns and images: less than a quad, more than a workgroup, more than the sums can take
/// without a second round, and rows that are the places of maps.
const SIZES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [257, 63, 257],
    [3, 257, 3],
    [1757, 1, 251],
    [2, 64, 2],
    [63, 3, 7],
    [30, 5, 1],
    [131_100, 3, 100],
    [700, 757, 700],
];

/// The logarithm of the scale as the wrappers take it, among poison.
fn upload_scale(gpu: &Gpu, likelihood: Likelihood, log_scale: f64) -> Option<Tensor> {
    likelihood.is_learnt().then(|| check::input(gpu, &[1], &[log_scale as f32]))
}

/// The loss in all, and dy.
fn run(
    gpu: &Gpu,
    (likelihood, log_scale): (Likelihood, f64),
    activation: Option<Activation>,
    [rows, columns, batch]: [usize; 3],
    pre: &[f32],
    x: &[f32],
) -> (f64, Vec<f32>) {
    let shape = [rows, columns];
    let (on_pre, on_x) = (check::input(gpu, &shape, pre), check::input(gpu, &shape, x));
    let dy = Guarded::new(gpu, &shape);
    let log_scale = upload_scale(gpu, likelihood, log_scale);
    let mut recording = Recording::new(gpu.report());
    let losses = loss::forward(
        &mut recording,
        "test",
        likelihood,
        &on_pre,
        activation,
        &on_x,
        log_scale.as_ref(),
        batch,
        &dy.tensor,
    );
    recording.compile(gpu).run();
    let losses: Vec<f32> = losses.read(gpu).unwrap();
    assert!(losses.len() <= 2048, "{} sums", losses.len());
    (check::wide(&losses).iter().sum(), dy.floats(gpu))
}

/// Pixels in [0, 1], away from the outputs, where the absolute error has a kink.
fn pixels(outputs: &[f64]) -> Vec<f32> {
    let apart = |(x, o): (f32, &f64)| if (f64::from(x) - o).abs() < 1e-4 { 1.0 - x } else { x };
    check::random(1, outputs.len(), 0.0..1.0).into_iter().zip(outputs).map(apart).collect()
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    let logistic_slope = |p: f64| oracle::logistic(p) * oracle::logistic(-p);
    for (i, sizes @ [rows, columns, batch]) in SIZES.into_iter().enumerate() {
        let pre = check::random(2, rows * columns, -6.0..6.0);
        for (case @ (likelihood, log_scale), sigmoid) in
            ALL.into_iter().flat_map(|case| [(case, false), (case, true)])
        {
            // Activations have their own tests.
            if sigmoid && (i > 2 || likelihood.takes_logits()) {
                continue;
            }
            let wide = check::wide(&pre);
            let output: Vec<f64> =
                wide.iter().map(|&p| if sigmoid { oracle::logistic(p) } else { p }).collect();
            let x = pixels(&output);
            let pairs = || output.iter().zip(&x).map(|(&o, &x)| (o, f64::from(x)));
            let want: f64 = pairs().map(|(o, x)| oracle::loss(likelihood, log_scale, o, x)).sum();
            let slopes = pairs().map(|(o, x)| oracle::slope(likelihood, log_scale, o, x));
            let through = wide.iter().map(|&p| if sigmoid { logistic_slope(p) } else { 1.0 });
            let want_dy: Vec<f64> =
                slopes.zip(through).map(|(a, b)| a * b / batch as f64).collect();

            let activation = sigmoid.then_some(Activation::Sigmoid);
            let (got, dy) = run(gpu, case, activation, sizes, &pre, &x);
            let what = format!("{likelihood:?} of {sizes:?}, {activation:?}");
            // A pixel's terms round to 2^-24 of the larger; a logarithm near 1 may be 2^-21 off.
            let error = (got - want).abs();
            let tolerance = 2e-6 * want.abs() + 1e-6 * x.len() as f64;
            assert!(error <= tolerance, "{what}: loss {got}, want {want} within {tolerance}");
            // An output that is 2^-24 off counts by the inverse variance.
            let steepness = if sigmoid { 100.0 } else { 1.0 };
            check::assert_each(&what, &dy, &want_dy, 5e-6, steepness * 2e-7 / batch as f64);
        }
    }
}

/// Loss and dy of pairs, each alone.
fn one_by_one(
    gpu: &Gpu,
    (likelihood, log_scale): (Likelihood, f64),
    outputs: &[f32],
    x: &[f32],
) -> [Vec<f32>; 2] {
    let mut recording = Recording::new(gpu.report());
    let log_scale = upload_scale(gpu, likelihood, log_scale);
    let one = |value: &f32| {
        let tensor = Tensor::matrix("one", &[1, 1]);
        tensor.write(gpu, &[*value]);
        tensor
    };
    let results: Vec<_> = outputs
        .iter()
        .zip(x)
        .map(|(output, x)| {
            let (output, x, dy) = (one(output), one(x), recording.matrix(&[1, 1]));
            let log_scale = log_scale.as_ref();
            let losses = loss::forward(
                &mut recording,
                "test",
                likelihood,
                &output,
                None,
                &x,
                log_scale,
                1,
                &dy,
            );
            [losses, dy]
        })
        .collect();
    recording.compile(gpu).run();
    let all: Vec<f32> = results[0][0].arena().read(gpu).unwrap();
    [0, 1].map(|i| results.iter().map(|tensors| all[tensors[i].offset()]).collect())
}

/// Logits far beyond where exp overflows, about where series end, and about 0.
const LOGITS: [f32; 21] = [
    0.0, 1e-30, 1e-8, 1e-4, 0.01, 0.1, 0.5, 1.0, 1.5, 1.9999, 2.0, 2.0001, 3.0, 5.0, 9.0, 20.0,
    60.0, 89.0, 100.0, 1e3, 1e4,
];

/// Both signs, with black, grey, nearly white and white pixels.
fn extremes() -> [Vec<f32>; 2] {
    let logits = LOGITS.iter().flat_map(|&l| [l, -l]);
    let pairs = logits.flat_map(|l| [0.0, 0.5, 0.99, 1.0].map(|x| (l, x)));
    let (logits, x): (Vec<f32>, _) = pairs.unzip();
    [logits, x]
}

#[test]
fn extremes_stay_finite_and_right() {
    let Some(gpu) = check::gpu() else { return };
    let [outputs, x] = extremes();
    for case @ (likelihood, log_scale) in ALL {
        let [losses, dy] = one_by_one(gpu, case, &outputs, &x);
        for (i, (&o, &x)) in outputs.iter().zip(&x).enumerate() {
            let (o, x) = (f64::from(o), f64::from(x));
            let what = format!("{likelihood:?} of {o} for {x}");
            let want = oracle::loss(likelihood, log_scale, o, x);
            // The parts of a loss from logits may be as large as they are, and nearly cancel.
            let absolute = 5e-7 + if likelihood.takes_logits() { 1.2e-7 * o.abs() } else { 0.0 };
            check::assert_each(&what, &losses[i..=i], &[want], 2e-6, absolute);
            let want = oracle::slope(likelihood, log_scale, o, x);
            check::assert_each(&what, &dy[i..=i], &[want], 2e-6, 1.2e-7);
        }
    }
}

/// A nearly certain and right pixel has a small loss and gradient, not none; nor have small logits
/// of the continuous Bernoulli, whose loss for the pixel 1/2 is l²/24.
#[test]
fn small_losses_and_gradients_keep_their_digits() {
    let Some(gpu) = check::gpu() else { return };
    let certain = [(-6.0, 0.0), (-15.0, 0.0), (-80.0, 0.0), (6.0, 1.0), (15.0, 1.0), (80.0, 1.0)];
    let even = [1e-4, 0.01, 0.3, 1.0, 1.99, 2.01, 10.0, 100.0].map(|l| (l, 0.5));
    for (likelihood, pairs) in
        [(Bernoulli, &certain[..]), (ContinuousBernoulli, &certain), (ContinuousBernoulli, &even)]
    {
        let (outputs, x): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        let [losses, dy] = one_by_one(gpu, (likelihood, 0.0), &outputs, &x);
        let wide = pairs.iter().map(|&(o, x)| (f64::from(o), f64::from(x)));
        let want: Vec<_> = wide.clone().map(|(o, x)| oracle::loss(likelihood, 0.0, o, x)).collect();
        check::assert_each(&format!("{likelihood:?}, loss"), &losses, &want, 5e-6, 0.0);
        let want: Vec<_> = wide.map(|(o, x)| oracle::slope(likelihood, 0.0, o, x)).collect();
        check::assert_each(&format!("{likelihood:?}, gradient"), &dy, &want, 5e-6, 0.0);
    }
}

#[test]
pub fn backward_scale() {
    let Some(gpu) = check::gpu() else { return };
    let learnt = ALL.into_iter().filter(|(likelihood, _)| likelihood.is_learnt());
    for (likelihood, log_scale) in learnt {
        for [rows, columns, batch] in SIZES {
            let shape = [rows, columns];
            let outputs = check::random(3, rows * columns, -1.0..2.0);
            let x = check::random(4, rows * columns, 0.0..1.0);
            let (on_output, on_x) =
                (check::input(gpu, &shape, &outputs), check::input(gpu, &shape, &x));
            let on_scale = check::input(gpu, &[1], &[log_scale as f32]);
            let dlog_scale = Guarded::new(gpu, &[1]);
            check::run(gpu, |recording| {
                let dy = recording.matrix(&shape);
                let scale = Some(&on_scale);
                let losses = loss::forward(
                    recording, "test", likelihood, &on_output, None, &on_x, scale, batch, &dy,
                );
                loss::backward_scale(
                    recording,
                    "test",
                    likelihood,
                    &on_x,
                    &losses,
                    &on_scale,
                    batch,
                    &dlog_scale.tensor,
                );
            });
            let pairs = outputs.iter().zip(&x).map(|(&o, &x)| (f64::from(o), f64::from(x)));
            let each = pairs.map(|(o, x)| oracle::slope_by_scale(likelihood, log_scale, o, x));
            let want = each.sum::<f64>() / batch as f64;
            let what = format!("{likelihood:?} of {shape:?}");
            // Sums over the pixels of an image are subtracted.
            let absolute = 2e-6 * (rows * columns / batch) as f64;
            check::assert_each(&what, &dlog_scale.floats(gpu), &[want], 2e-6, absolute);
        }
    }
}

#[test]
pub fn mean() {
    let Some(gpu) = check::gpu() else { return };
    for (likelihood, _) in ALL {
        for [rows, columns, _] in SIZES.into_iter().chain([[1, 2 * LOGITS.len(), 1]]) {
            let mut outputs = check::random(5, rows * columns, -100.0..100.0);
            if columns == 2 * LOGITS.len() {
                outputs = LOGITS.iter().flat_map(|&l| [l, -l]).collect();
            }
            let on_output = check::input(gpu, &[rows, columns], &outputs);
            let mean = Guarded::new(gpu, &[rows, columns]);
            check::run(gpu, |recording| {
                loss::mean(recording, "test", likelihood, &on_output, &mean.tensor);
            });
            let want: Vec<_> =
                outputs.iter().map(|&o| oracle::mean(likelihood, o.into())).collect();
            let what = format!("{likelihood:?} of {rows} x {columns}");
            // A value too small for a normal float may be zero.
            check::assert_each(&what, &mean.floats(gpu), &want, 5e-6, 2e-38);
        }
    }
}

/// Functions of an output that is infinite or NaN may be finite, as the sigmoid is.
#[test]
fn outputs_that_are_not_finite_are_seen_in_the_mean_and_in_draws() {
    let Some(gpu) = check::gpu() else { return };
    for (likelihood, log_scale) in ALL {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut outputs = check::random(5, 63, -3.0..3.0);
            outputs[33] = bad;
            let output = check::input(gpu, &[9, 7], &outputs);
            let [mean, drawn] = [(); 2].map(|()| Guarded::new(gpu, &[9, 7]));
            let (state, scale) = (State::tensor("state"), upload_scale(gpu, likelihood, log_scale));
            State::default().write(gpu, &state);
            check::run(gpu, |recording| {
                loss::mean(recording, "test", likelihood, &output, &mean.tensor);
                let scale = scale.as_ref();
                loss::draw(recording, "test", likelihood, 1, &state, &output, scale, &drawn.tensor);
            });
            for made in [mean, drawn] {
                let finite: Vec<bool> = made.floats(gpu).iter().map(|v| v.is_finite()).collect();
                let want: Vec<bool> = (0..63).map(|i| i != 33).collect();
                assert_eq!(finite, want, "{likelihood:?} of {bad}");
            }
        }
    }
}

/// At logits a fiftieth apart.
#[test]
fn the_continuous_bernoullis_gradient_is_right_at_all_logits() {
    let Some(gpu) = check::gpu() else { return };
    let logits: Vec<f32> = (-5000..=5000).map(|i| i as f32 / 50.0).collect();
    for pixel in [0.0, 0.3, 1.0] {
        let x = vec![pixel; logits.len()];
        let sizes = [logits.len(), 1, 1];
        let (_, dy) = run(gpu, (ContinuousBernoulli, 0.0), None, sizes, &logits, &x);
        let want =
            logits.iter().map(|&l| oracle::slope(ContinuousBernoulli, 0.0, l.into(), pixel.into()));
        check::assert_each("gradient", &dy, &want.collect::<Vec<_>>(), 1e-6, 1.2e-7);
    }
}

/// The number of quads, not the bindings or the grid, ends the work.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, columns] in [[1, 1], [61, 3], [64, 4], [3, 257]] {
        let shape = [rows, columns];
        let values = vec![0.5f32; rows * columns];
        let row_quads = columns.div_ceil(4);
        let params = json!({
            "quads": rows * row_quads, "columns": columns, "row_quads": row_quads,
            "stride": 1024 * 64, "turn": 1024 * 64 % row_quads, "sums": 0, "batch": 1.0,
            "pixels": 0.0, "scale": 0.0, "rate": 0.0, "constant": 0.0, "power": 0.0,
            "learnt": 0, "seed_low": 0, "seed_high": 0, "stream": 0,
        });
        let [a, b] = [(); 2].map(|()| check::roomy_input(gpu, &shape, &values));
        let [scale, state] = [1, 8].map(|n| Tensor::zeros("zeros", &[n]));
        let [dy, mean, drawn] = [(); 3].map(|()| Guarded::roomy(gpu, &shape));
        let losses = Guarded::new(gpu, &[1024]);
        check::run(gpu, |recording| {
            let mut record = |entry, tensors: &[(&str, &Tensor)]| {
                let constants = [("LIKELIHOOD", 0), ("ACTIVATION", 99)];
                let kernel = loss::SHADER.kernel(entry, &constants);
                recording.record_flat(kernel, "test", &params, tensors, 1024);
            };
            let results = [("dy", &dy.tensor), ("losses", &losses.tensor)];
            let inputs = [("pre", &a), ("pixels", &b), ("log_scale", &scale)];
            record("forward", &[&inputs[..], &results].concat());
            record("mean", &[("output", &a), ("mean_of", &mean.tensor)]);
            let inputs = [("output", &a), ("log_scale", &scale), ("state", &state)];
            record("draw", &[&inputs[..], &[("drawn", &drawn.tensor)]].concat());
        });
        for written in [&dy, &mean, &drawn] {
            assert!(written.floats(gpu).iter().all(|value| value.is_finite()), "{shape:?}");
        }
        let want = values.len() as f64 * oracle::loss(Bernoulli, 0.0, 0.5, 0.5);
        let sum = check::wide(&losses.floats(gpu)).iter().sum::<f64>();
        assert!((sum - want).abs() < 1e-5 * want, "{shape:?}: {sum}, want {want}");
    }
}
