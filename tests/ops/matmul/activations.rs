//! The activations, in the epilogues of `forward` and `backward_input`.

use vae_gpu::gpu::Gpu;
use vae_gpu::ops::activation::Activation::{self, *};

use super::forms::Case;
use super::oracle::{slope, value};
use super::run;
use crate::check;
use crate::common::golden::File;
use crate::erf::{normal_cdf, normal_density};

fn logistic(x: f64) -> f64 {
    value(Some(Sigmoid), x)
}

/// By how much f(x) may be wrong: 1e-5 of it, for `exp` may be wrong by 3 + 2|x| units in the last
/// place; for softplus near zero also by WGSL's bound on `log` near 1, 2⁻²¹, but never by more than
/// 1e-4 of it; and something for results below the normal numbers, which adapters may flush.
fn value_tolerance(activation: Option<Activation>, x: f64) -> f64 {
    let want = value(activation, x).abs();
    let near_one = activation == Some(Softplus);
    let logarithm = if near_one { (2f64.powi(-21)).min(1e-4 * want) } else { 0.0 };
    1e-5 * want + logarithm + 1e-30
}

/// By how much f'(x) may be wrong: as above, and by a few roundings of the terms where they cancel.
fn slope_tolerance(activation: Option<Activation>, x: f64) -> f64 {
    let terms = match activation {
        Some(Gelu) => normal_cdf(x) + x.abs() * normal_density(x),
        Some(Silu) => logistic(x) * (1.0 + x.abs() * logistic(-x)),
        Some(Tanh) => 1.0,
        _ => 0.0,
    };
    1e-5 * slope(activation, x).abs() + 3e-7 * terms + 1e-30
}

/// A layer of one input and one output, or as many as there are values: x · 1 is exact.
fn exact(entry: &str, activation: Option<Activation>, shape: [usize; 2], left: &[f32]) -> Case {
    let [rows, columns] = shape;
    let case = Case::identity(entry, rows, columns, left);
    Case { activation, ..case }
}

fn run_forward(
    gpu: &Gpu,
    activation: Option<Activation>,
    shape: [usize; 2],
    x: &[f32],
) -> Vec<f32> {
    let case = exact("forward", activation, shape, x);
    let [pre, y] = run::by_wrapper(gpu, &case, Some(run::small())).try_into().unwrap();
    assert_eq!(pre, x, "a product by one");
    y
}

fn run_backward(
    gpu: &Gpu,
    activation: Option<Activation>,
    shape: [usize; 2],
    x: &[f32],
    dy: &[f32],
) -> Vec<f32> {
    let case = exact("backward_input", activation, shape, dy).with("pre", x);
    run::by_wrapper(gpu, &case, Some(run::small())).swap_remove(0)
}

fn assert_forward(gpu: &Gpu, activation: Option<Activation>, shape: [usize; 2], x: &[f32]) {
    let y = run_forward(gpu, activation, shape, x);
    let x = check::wide(x);
    let want: Vec<_> = x.iter().map(|&x| value(activation, x)).collect();
    let tolerances: Vec<_> = x.iter().map(|&x| value_tolerance(activation, x)).collect();
    check::assert_within(&format!("{activation:?}"), &y, &want, &tolerances);
}

fn assert_backward(
    gpu: &Gpu,
    activation: Option<Activation>,
    shape: [usize; 2],
    x: &[f32],
    dy: &[f32],
) {
    let dx = run_backward(gpu, activation, shape, x, dy);
    let pairs = || x.iter().zip(dy).map(|(&x, &dy)| (f64::from(x), f64::from(dy)));
    let want: Vec<_> = pairs().map(|(x, dy)| dy * slope(activation, x)).collect();
    let tolerances = pairs().map(|(x, dy)| dy.abs() * slope_tolerance(activation, x));
    let tolerances: Vec<_> = tolerances.collect();
    check::assert_within(&format!("{activation:?}"), &dx, &want, &tolerances);
}

#[test]
fn values_and_slopes_are_right_one_by_one() {
    let Some(gpu) = check::gpu() else { return };
    let shapes = [[1, 1], [1757, 1], [257, 63], [63, 64]];
    let all = Activation::ALL.map(Some).into_iter().chain([None]);
    for (activation, shape) in all.flat_map(|a| shapes.map(|s| (a, s))) {
        let x = check::random(1, shape.iter().product(), -8.0..8.0);
        let dy = check::random(3, x.len(), -3.0..3.0);
        assert_forward(gpu, activation, shape, &x);
        assert_backward(gpu, activation, shape, &x, &dy);
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
    let shapes = [[x.len(), 1], [1, x.len()]];
    for (activation, shape) in
        Activation::ALL.map(Some).into_iter().flat_map(|a| shapes.map(|s| (a, s)))
    {
        assert_forward(gpu, activation, shape, &x);
        assert_backward(gpu, activation, shape, &x, &dy);
    }
}

/// PyTorch's 64-bit formulas cancel in their tails, as in 1 + erf(x), and lose what is below this;
/// there the oracle alone is the judge, in `extremes_keep_their_digits`.
const PYTORCH: f64 = 1e-14;

#[test]
fn values_and_slopes_are_those_of_pytorch() {
    let file = File::read("activations.safetensors");
    let column = |name: &str, key: &str| file.singles(&format!("{name}.{key}"));
    for (name, activation) in Activation::ALL.map(|a| (a.name(), Some(a))) {
        let [x, y, dy, dx] = ["x", "y", "dy", "dx"].map(|key| column(name, key));
        let [wide_x, wide_dy] = [&x, &dy].map(|values| check::wide(values));
        let want_y: Vec<_> = wide_x.iter().map(|&x| value(activation, x)).collect();
        let want_dx: Vec<_> =
            wide_x.iter().zip(&wide_dy).map(|(&x, dy)| dy * slope(activation, x)).collect();
        // The oracle first: rounded to 32 bits it is PyTorch's.
        check::assert_each(&format!("{name}'s oracle, y"), &y, &want_y, 1e-7, PYTORCH);
        check::assert_each(&format!("{name}'s oracle, dx"), &dx, &want_dx, 1e-7, PYTORCH);

        let Some(gpu) = check::gpu() else { continue };
        let shape = [x.len(), 1];
        let allowed = wide_x.iter().map(|&x| value_tolerance(activation, x) + PYTORCH);
        let allowed: Vec<_> = allowed.collect();
        let got = run_forward(gpu, activation, shape, &x);
        check::assert_within(&format!("{name}, y"), &got, &check::wide(&y), &allowed);
        let allowed: Vec<_> = wide_x
            .iter()
            .zip(&wide_dy)
            .map(|(&x, dy)| dy.abs() * slope_tolerance(activation, x) + PYTORCH)
            .collect();
        let got = run_backward(gpu, activation, shape, &x, &dy);
        check::assert_within(&format!("{name}, dx"), &got, &check::wide(&dx), &allowed);
    }
}
