//! The products and their epilogues by their definitions.

use vae_gpu::ops::activation::Activation::{self, *};

use crate::check;
use crate::erf::{normal_cdf, normal_density};

/// x · weightᵀ + bias
pub fn forward(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = weight.len() / bias.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |x| weight.chunks(inputs).zip(bias).map(move |(w, b)| dot(x, w) + b);
    x.chunks(inputs).flat_map(row).collect()
}

/// dy · weight
pub fn backward_input(dy: &[f64], weight: &[f64], [inputs, outputs]: [usize; 2]) -> Vec<f64> {
    let mut dx = vec![0.0; dy.len() / outputs * inputs];
    for (dx, dy) in dx.chunks_mut(inputs).zip(dy.chunks(outputs)) {
        for (dy, w) in dy.iter().zip(weight.chunks(inputs)) {
            add_scaled(dx, *dy, w);
        }
    }
    dx
}

/// dweight = dyᵀ · x, and dbias, the column sums of dy
pub fn backward_weight(dy: &[f64], x: &[f64], [inputs, outputs]: [usize; 2]) -> [Vec<f64>; 2] {
    let mut dweight = vec![0.0; outputs * inputs];
    let mut dbias = vec![0.0; outputs];
    for (dy, x) in dy.chunks(outputs).zip(x.chunks(inputs)) {
        add_scaled(&mut dbias, 1.0, dy);
        for (dweight, dy) in dweight.chunks_mut(inputs).zip(dy) {
            add_scaled(dweight, *dy, x);
        }
    }
    [dweight, dbias]
}

/// sum += scale · values
fn add_scaled(sum: &mut [f64], scale: f64, values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// An activation, or the identity.
pub fn value(activation: Option<Activation>, x: f64) -> f64 {
    match activation {
        None => x,
        Some(Relu) => x.max(0.0),
        Some(LeakyRelu) => x.max(0.01 * x),
        Some(Elu) => x.max(0.0) + x.min(0.0).exp_m1(),
        Some(Gelu) => x * normal_cdf(x),
        Some(Silu) => x * logistic(x),
        Some(Tanh) => x.tanh(),
        Some(Sigmoid) => logistic(x),
        Some(Softplus) => x.max(0.0) + (-x.abs()).exp().ln_1p(),
    }
}

/// Its derivative.
pub fn slope(activation: Option<Activation>, x: f64) -> f64 {
    match activation {
        None => 1.0,
        Some(Relu) => f64::from(u8::from(x > 0.0)),
        Some(LeakyRelu) if x > 0.0 => 1.0,
        Some(LeakyRelu) => 0.01,
        Some(Elu) => x.min(0.0).exp(),
        Some(Gelu) => normal_cdf(x) + x * normal_density(x),
        Some(Silu) => logistic(x) * (1.0 + x * logistic(-x)),
        Some(Tanh) => x.cosh().powi(-2),
        Some(Sigmoid) => logistic(x) * logistic(-x),
        Some(Softplus) => logistic(x),
    }
}

fn wide(seed: u64, len: usize, limit: f32) -> Vec<f64> {
    check::wide(&check::random(seed, len, -limit..limit))
}

#[test]
fn products_backward_are_the_derivatives_of_forward() {
    let [batch, inputs, outputs] = [3, 5, 4];
    let (x, weight) = (wide(1, batch * inputs, 1.0), wide(2, outputs * inputs, 1.0));
    let (bias, dy) = (wide(3, outputs, 1.0), wide(4, batch * outputs, 1.0));
    let chained = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
    let dx = backward_input(&dy, &weight, [inputs, outputs]);
    check::assert_gradient("dx", |x| chained(forward(x, &weight, &bias)), &x, &dx);
    let [dweight, dbias] = backward_weight(&dy, &x, [inputs, outputs]);
    check::assert_gradient("dweight", |w| chained(forward(&x, w, &bias)), &weight, &dweight);
    check::assert_gradient("dbias", |b| chained(forward(&x, &weight, b)), &bias, &dbias);
}

#[test]
fn slopes_are_the_derivatives_of_the_activations() {
    for activation in Activation::ALL.map(Some).into_iter().chain([None]) {
        // 0.25 apart and never 0, where some have a kink.
        for x in (-24..24).map(|i| (f64::from(i) + 0.5) / 4.0) {
            let (what, gradient) = (format!("{activation:?}"), [slope(activation, x)]);
            check::assert_gradient(&what, |x| value(activation, x[0]), &[x], &gradient);
        }
    }
}
