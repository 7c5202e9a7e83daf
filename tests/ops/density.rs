//! Every expression by its definition, in f64.

use std::f64::consts::{LN_2, TAU};

use vae_gpu::gpu::Gpu;
use vae_gpu::ops::density::{self, EXPRESSIONS, negative_log_likelihood};
use vae_gpu::ops::expression::{self, Expression, Formula, Operand};
use vae_gpu::ops::likelihood::{Likelihood, Scale};

use crate::check::{self, Guarded};
use crate::loss::oracle as likelihoods;

/// A definition, of the operands and the numbers.
pub type Definition = fn(&[f64], &[f64]) -> f64;

fn loss(likelihood: Likelihood, log_scale: f64, [output, x]: [f64; 2]) -> f64 {
    likelihoods::loss(likelihood, log_scale, output, x)
}

/// log n! by the integral over t of t^n exp(-t), which over u = log t is exp((n + 1) u - exp(u)): that
/// falls off on both sides of its largest, at exp(u) = n + 1, so that the midpoint rule is exact.
fn log_factorial(n: f64) -> f64 {
    let exponent = |u: f64| (n + 1.0) * u - u.exp();
    let (middle, step) = ((n + 1.0).ln(), 1e-2);
    let integrand = |u: f64| (exponent(u) - exponent(middle)).exp();
    let sum: f64 = (-6000..6000).map(|i| integrand(middle + step * f64::from(i))).sum();
    exponent(middle) + (sum * step).ln()
}

fn log_normal(x: f64, mean: f64, variance: f64) -> f64 {
    -((x - mean).powi(2) / variance + (TAU * variance).ln()) / 2.0
}

/// Ranges of the operands that suit an expression, and its numbers, with its definition.
pub fn definition(name: &str) -> (Vec<std::ops::Range<f32>>, Vec<f64>, Definition) {
    use Likelihood::*;
    use Scale::*;
    let (symmetric, unit) = (-2.0..2.0, 0.0..1.0);
    match name {
        "bernoulli" => (vec![-6.0..6.0, unit], vec![], |o, _| loss(Bernoulli, 0.0, [o[0], o[1]])),
        "continuous_bernoulli" => {
            (vec![-6.0..6.0, unit], vec![], |o, _| loss(ContinuousBernoulli, 0.0, [o[0], o[1]]))
        }
        "binary_cross_entropy" => (vec![-6.0..6.0], vec![1.0], |o, n| {
            let p = likelihoods::logistic(o[0]);
            -n[0] * p.ln() - (1.0 - n[0]) * (1.0 - p).ln()
        }),
        "gaussian" => (vec![symmetric; 3], vec![], |o, _| -log_normal(o[0], o[1], o[2].exp())),
        "gaussian_fixed" => {
            (vec![2.0..4.0, unit], vec![0.3], |o, n| loss(Gaussian(Fixed(n[0])), 0.0, [o[0], o[1]]))
        }
        "gaussian_learnt" => (vec![2.0..4.0, unit, -1.0..0.5], vec![], |o, _| {
            loss(Gaussian(Learnt), o[2], [o[0], o[1]])
        }),
        "identity" => (vec![symmetric], vec![], |o, _| o[0]),
        // The output lies to one side of x, away from the kink.
        "laplace_fixed" => {
            (vec![1.5..4.0, unit], vec![0.3], |o, n| loss(Laplace(Fixed(n[0])), 0.0, [o[0], o[1]]))
        }
        "laplace_learnt" => (vec![-4.0..-0.5, unit, -1.0..0.5], vec![], |o, _| {
            loss(Laplace(Learnt), o[2], [o[0], o[1]])
        }),
        "normal_kl" => (vec![symmetric.clone(), symmetric], vec![], |o, _| {
            (o[0] * o[0] + o[1].exp() - 1.0 - o[1]) / 2.0
        }),
        "poisson" => (vec![symmetric, 0.0..40.0], vec![], |o, _| {
            o[0].exp() - o[0] * o[1] + log_factorial(o[1])
        }),
        "product" => (vec![symmetric.clone(), symmetric], vec![], |o, _| o[0] * o[1]),
        "reparameterize" => (vec![symmetric; 3], vec![], |o, _| o[0] + o[1].exp().sqrt() * o[2]),
        "squared_error" => (vec![2.0..4.0, unit], vec![], |o, _| (o[0] - o[1]).powi(2)),
        "standard_laplace" => (vec![0.1..3.0], vec![], |o, _| o[0].abs() + LN_2),
        "standard_normal" => (vec![symmetric], vec![], |o, _| -log_normal(o[0], 0.0, 1.0)),
        "weighted_sum" => {
            (vec![symmetric.clone(), symmetric], vec![0.7, -1.5], |o, n| n[0] * o[0] + n[1] * o[1])
        }
        _ => panic!("{name}: no oracle"),
    }
}

/// A definition's derivative by operand `i`: central differences, of the fourth order, since their error
/// must be small beside an f32's.
pub fn slope(function: Definition, operands: &[f64], numbers: &[f64], i: usize) -> f64 {
    let step = 1e-3;
    let at = |steps: f64| {
        let mut operands = operands.to_vec();
        operands[i] += steps * step;
        function(&operands, numbers)
    };
    (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * step)
}

/// The value of each element, and the derivatives by each operand that has them.
fn one_by_one(
    gpu: &Gpu,
    expression: Expression,
    numbers: &[f64],
    operands: &[Vec<f32>],
) -> (Vec<f32>, Vec<Vec<f32>>) {
    let shape = [operands[0].len(), 1];
    let tensors: Vec<_> = operands.iter().map(|o| check::input(gpu, &shape, o)).collect();
    let operands = tensors.iter().map(Operand::all).collect();
    let formula = Formula { expression, numbers: numbers.to_vec(), operands };
    let ones = Operand::all(&check::input(gpu, &shape, &vec![1.0f32; shape[0]]));
    let y = Guarded::new(gpu, &shape);
    let slopes = expression.slopes.iter().zip(&tensors).filter(|(slope, _)| !slope.is_empty());
    let slopes: Vec<_> = slopes.map(|(_, of)| (of, Guarded::new(gpu, &shape))).collect();
    check::run(gpu, |recording| {
        expression::forward(recording, "test", &formula, &y.tensor);
        for (of, dx) in &slopes {
            expression::backward(recording, "test", &formula, &ones, of, &dx.tensor);
        }
    });
    (y.floats(gpu), slopes.iter().map(|(_, dx)| dx.floats(gpu)).collect())
}

/// Each definition's derivatives are those that are well known.
#[test]
fn differences_are_derivatives() {
    let kl = definition("normal_kl").2;
    for [mean, log_variance] in [[0.3, -1.0], [-2.0, 0.5], [0.0, 0.0]] {
        let at = [mean, log_variance];
        assert!((slope(kl, &at, &[], 0) - mean).abs() < 1e-9);
        assert!((slope(kl, &at, &[], 1) - log_variance.exp_m1() / 2.0).abs() < 1e-9);
    }
    for n in 0..40u32 {
        let want: f64 = (1..=n).map(|k| f64::from(k).ln()).sum();
        let got = log_factorial(n.into());
        assert!((got - want).abs() < 1e-9, "log {n}!: {got}, not {want}");
    }
}

#[test]
fn values_and_slopes() {
    let Some(gpu) = check::gpu() else { return };
    for expression in EXPRESSIONS {
        let name = expression.name;
        let (ranges, numbers, function) = definition(name);
        let draw = |(i, range): (usize, &std::ops::Range<f32>)| {
            check::random(i as u64, 257, range.clone())
        };
        let operands: Vec<_> = ranges.iter().enumerate().map(draw).collect();
        let (values, slopes) = one_by_one(gpu, **expression, &numbers, &operands);
        let at = |i: usize| operands.iter().map(|o| f64::from(o[i])).collect::<Vec<_>>();
        let want: Vec<_> = (0..257).map(|i| function(&at(i), &numbers)).collect();
        check::assert_each(name, &values, &want, 2e-6, 4e-6);
        let by = (0..operands.len()).filter(|&by| !expression.slopes[by].is_empty());
        for (by, got) in by.zip(&slopes) {
            let want: Vec<_> = (0..257).map(|i| slope(function, &at(i), &numbers, by)).collect();
            check::assert_each(&format!("{name} by {by}"), got, &want, 5e-6, 2e-6);
        }
    }
}

/// The expressions are compared with the oracle of [`vae_gpu::ops::loss`].
#[test]
fn likelihoods_are_expressions() {
    let Some(gpu) = check::gpu() else { return };
    for (likelihood, log_scale) in crate::loss::ALL {
        let outputs = check::random(1, 63, -6.0..6.0);
        let x = check::random(2, 63, 0.0..1.0);
        let pairs: Vec<_> = check::wide(&outputs).into_iter().zip(check::wide(&x)).collect();
        let mut operands = vec![outputs, x];
        if likelihood.is_learnt() {
            operands.push(vec![log_scale as f32; 63]);
        }
        let (expression, numbers) = negative_log_likelihood(likelihood);
        let (values, slopes) = one_by_one(gpu, expression, &numbers, &operands);
        let loss = |&(o, x): &(f64, f64)| likelihoods::loss(likelihood, log_scale, o, x);
        let slope = |&(o, x): &(f64, f64)| likelihoods::slope(likelihood, log_scale, o, x);
        let what = format!("{likelihood:?}");
        let want: Vec<_> = pairs.iter().map(loss).collect();
        check::assert_each(&what, &values, &want, 2e-6, 2e-6);
        let want: Vec<_> = pairs.iter().map(slope).collect();
        check::assert_each(&what, &slopes[0], &want, 5e-6, 2e-7);
    }
}

/// Logits at which exp overflows, and far counts.
#[test]
fn far_values_are_finite() {
    let Some(gpu) = check::gpu() else { return };
    let logits = vec![-1e4f32, -100.0, 0.0, 100.0, 1e4];
    for label in [0.0, 1.0] {
        let (values, slopes) =
            one_by_one(gpu, density::BINARY_CROSS_ENTROPY, &[label], std::slice::from_ref(&logits));
        let loss = |l: &f32| likelihoods::loss(Likelihood::Bernoulli, 0.0, (*l).into(), label);
        let want: Vec<_> = logits.iter().map(loss).collect();
        check::assert_each("cross-entropy", &values, &want, 1e-6, 1e-6);
        let slope = |l: &f32| likelihoods::logistic((*l).into()) - label;
        let want: Vec<_> = logits.iter().map(slope).collect();
        check::assert_each("its slope", &slopes[0], &want, 1e-6, 1e-7);
    }
    let counts = vec![0.0f32, 1.0, 2.0, 7.0, 8.0, 1000.0, 65_536.0];
    let zeros = vec![0.0f32; counts.len()];
    let (values, _) = one_by_one(gpu, density::POISSON, &[], &[zeros, counts.clone()]);
    let sum = |n: &f32| 1.0 + (1..=*n as u32).map(|k| f64::from(k).ln()).sum::<f64>();
    check::assert_each("log x!", &values, &counts.iter().map(sum).collect::<Vec<_>>(), 1e-6, 4e-6);
}

/// A scale at the end of what it may be moves back only, whatever the pixels: one is as the output, one far
/// away.
#[test]
fn a_learnt_scale_keeps_within_bounds() {
    let Some(gpu) = check::gpu() else { return };
    for expression in [density::GAUSSIAN_LEARNT, density::LAPLACE_LEARNT] {
        let slopes = |log_scale| {
            let operands = [vec![0.0f32, 0.0], vec![0.0f32, 1e8], vec![log_scale; 2]];
            one_by_one(gpu, expression, &[], &operands).1.remove(1)
        };
        let [lowest, highest] = [-20.0, 20.0].map(slopes);
        assert!(lowest[0] == 0.0 && lowest[1] < -1e10, "{lowest:?}");
        assert!(lowest[1].is_finite(), "{lowest:?}");
        assert_eq!(highest, [1.0, 0.0], "{}", expression.name);
    }
}
