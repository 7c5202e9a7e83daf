use safetensors::SafeTensors;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::activation::{self, NAMES};

use crate::check::{self, Guarded};
use crate::erf::{normal_cdf, normal_density};

const SIZES: [&[usize]; 5] = [&[1], &[63], &[257, 63], &[1757], &[64, 64]];

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn value(name: &str, x: f64) -> f64 {
    match name {
        "relu" => x.max(0.0),
        "leaky_relu" => x.max(0.01 * x),
        "elu" => x.max(0.0) + x.min(0.0).exp_m1(),
        "gelu" => x * normal_cdf(x),
        "silu" => x * logistic(x),
        "tanh" => x.tanh(),
        "sigmoid" => logistic(x),
        "softplus" => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        _ => panic!("{name} has no oracle"),
    }
}

fn slope(name: &str, x: f64) -> f64 {
    match name {
        "relu" => f64::from(u8::from(x > 0.0)),
        "leaky_relu" if x > 0.0 => 1.0,
        "leaky_relu" => 0.01,
        "elu" => x.min(0.0).exp(),
        "gelu" => normal_cdf(x) + x * normal_density(x),
        "silu" => logistic(x) * (1.0 + x * logistic(-x)),
        "tanh" => x.cosh().powi(-2),
        "sigmoid" => logistic(x) * logistic(-x),
        "softplus" => logistic(x),
        _ => panic!("{name} has no oracle"),
    }
}

/// By how much f(x) may be wrong: 1e-5 of it, for `exp` may be wrong by 3 + 2|x| units in the last
/// place; for softplus near zero also by WGSL's bound on `log` near 1, 2⁻²¹, but never by more than
/// 1e-4 of it; and something for results below the normal numbers, which adapters may flush.
fn value_tolerance(name: &str, x: f64) -> f64 {
    let want = value(name, x).abs();
    let logarithm = if name == "softplus" { (2f64.powi(-21)).min(1e-4 * want) } else { 0.0 };
    1e-5 * want + logarithm + 1e-30
}

/// By how much f'(x) may be wrong: as above, and by a few roundings of the terms where they cancel.
fn slope_tolerance(name: &str, x: f64) -> f64 {
    let terms = match name {
        "gelu" => normal_cdf(x) + x.abs() * normal_density(x),
        "silu" => logistic(x) * (1.0 + x.abs() * logistic(-x)),
        "tanh" => 1.0,
        _ => 0.0,
    };
    1e-5 * slope(name, x).abs() + 3e-7 * terms + 1e-30
}

fn run_forward(gpu: &Gpu, name: &str, shape: &[usize], x: &[f32]) -> Vec<f32> {
    let y = Guarded::roomy(gpu, shape);
    let x = check::input(gpu, shape, x);
    check::run(gpu, |plan| activation::forward(plan, "test", name, &x, &y.tensor));
    y.floats(gpu)
}

fn run_backward(gpu: &Gpu, name: &str, shape: &[usize], x: &[f32], dy: &[f32]) -> Vec<f32> {
    let dx = Guarded::roomy(gpu, shape);
    let [x, dy] = [x, dy].map(|values| check::input(gpu, shape, values));
    check::run(gpu, |plan| activation::backward(plan, "test", name, &x, &dy, &dx.tensor));
    dx.floats(gpu)
}

fn assert_forward(gpu: &Gpu, name: &str, shape: &[usize], x: &[f32]) {
    let y = run_forward(gpu, name, shape, x);
    let x = check::wide(x);
    let want: Vec<_> = x.iter().map(|&x| value(name, x)).collect();
    let tolerances: Vec<_> = x.iter().map(|&x| value_tolerance(name, x)).collect();
    check::assert_within(name, &y, &want, &tolerances);
}

fn assert_backward(gpu: &Gpu, name: &str, shape: &[usize], x: &[f32], dy: &[f32]) {
    let dx = run_backward(gpu, name, shape, x, dy);
    let pairs = || x.iter().zip(dy).map(|(&x, &dy)| (f64::from(x), f64::from(dy)));
    let want: Vec<_> = pairs().map(|(x, dy)| dy * slope(name, x)).collect();
    let tolerances: Vec<_> = pairs().map(|(x, dy)| dy.abs() * slope_tolerance(name, x)).collect();
    check::assert_within(name, &dx, &want, &tolerances);
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for (name, shape) in NAMES.iter().flat_map(|name| SIZES.map(|shape| (name, shape))) {
        let x = check::random(1, shape.iter().product(), -8.0..8.0);
        assert_forward(gpu, name, shape, &x);
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for (name, shape) in NAMES.iter().flat_map(|name| SIZES.map(|shape| (name, shape))) {
        let x = check::random(2, shape.iter().product(), -8.0..8.0);
        let dy = check::random(3, x.len(), -3.0..3.0);
        assert_backward(gpu, name, shape, &x, &dy);
    }
}

/// Tiny inputs, huge ones, and both sides of the places where the shaders change formula.
#[test]
fn extremes_keep_their_digits() {
    let Some(gpu) = check::gpu() else { return };
    let sizes = [1e-30, 1e-8, 1e-4, 9e-3, 0.249, 0.2501, 4.6, 4.61, 9.0, 20.0, 60.0, 100.0, 1e4];
    let mut x = vec![0.0];
    x.extend(sizes.iter().flat_map(|&x| [x, -x]));
    let dy = check::random(4, x.len(), 0.5..2.0);
    for name in NAMES {
        assert_forward(gpu, name, &[x.len()], &x);
        assert_backward(gpu, name, &[x.len()], &x, &dy);
    }
}

/// More workgroups than most adapters take along x, so that the grid wraps into y.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let x = check::random(5, 65_535 * 64 + 257, -8.0..8.0);
    let y = run_forward(gpu, "leaky_relu", &[x.len()], &x);
    let want: Vec<_> = x.iter().map(|&x| value("leaky_relu", x.into())).collect();
    check::assert_each("leaky_relu", &y, &want, 1e-6, 0.0);
}

/// PyTorch's 64-bit formulas cancel in their tails, as in 1 + erf(x), and lose what is below this;
/// there the oracle alone is the judge, in `extremes_keep_their_digits`.
const PYTORCH: f64 = 1e-14;

#[test]
fn values_and_slopes_are_those_of_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/activations.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let table = SafeTensors::deserialize(&bytes).unwrap();
    let column = |name: &str, key: &str| -> Vec<f32> {
        let tensor = table.tensor(&format!("{name}.{key}")).unwrap();
        bytemuck::pod_collect_to_vec(tensor.data())
    };
    for name in NAMES {
        let [x, y, dy, dx] = ["x", "y", "dy", "dx"].map(|key| column(name, key));
        let [wide_x, wide_dy] = [&x, &dy].map(|values| check::wide(values));
        let want_y: Vec<_> = wide_x.iter().map(|&x| value(name, x)).collect();
        let want_dx: Vec<_> =
            wide_x.iter().zip(&wide_dy).map(|(&x, dy)| dy * slope(name, x)).collect();
        // The oracle first: rounded to 32 bits it is PyTorch's.
        check::assert_each(&format!("{name}'s oracle, y"), &y, &want_y, 1e-7, PYTORCH);
        check::assert_each(&format!("{name}'s oracle, dx"), &dx, &want_dx, 1e-7, PYTORCH);

        let Some(gpu) = check::gpu() else { continue };
        let allowed: Vec<_> = wide_x.iter().map(|&x| value_tolerance(name, x) + PYTORCH).collect();
        let got = run_forward(gpu, name, &[x.len()], &x);
        check::assert_within(&format!("{name}, y"), &got, &check::wide(&y), &allowed);
        let allowed: Vec<_> = wide_x
            .iter()
            .zip(&wide_dy)
            .map(|(&x, dy)| dy.abs() * slope_tolerance(name, x) + PYTORCH)
            .collect();
        let got = run_backward(gpu, name, &[x.len()], &x, &dy);
        check::assert_within(&format!("{name}, dx"), &got, &check::wide(&dx), &allowed);
    }
}

#[test]
fn oracle_slopes_are_derivatives() {
    for name in NAMES {
        // 0.25 apart and never 0, where some have a kink.
        for x in (-24..24).map(|i| (f64::from(i) + 0.5) / 4.0) {
            check::assert_gradient(name, |x| value(name, x[0]), &[x], &[slope(name, x)]);
        }
    }
}
