//! The likelihoods by their definitions, in f64.

use std::f64::consts::{LN_2, TAU};

use vae_gpu::ops::likelihood::{
    Likelihood::{self, *},
    Scale,
};

use crate::check;

/// The scale: `log_scale` counts where it is learnt.
fn scale_of(scale: Scale, log_scale: f64) -> f64 {
    match scale {
        Scale::Fixed(scale) => scale,
        Scale::Learnt => log_scale.exp(),
    }
}

pub fn logistic(l: f64) -> f64 {
    if l >= 0.0 { 1.0 / (1.0 + (-l).exp()) } else { l.exp() / (1.0 + l.exp()) }
}

/// −x log p − (1 − x) log(1 − p) for the logit l of p, without cancellation.
fn cross_entropy(l: f64, x: f64) -> f64 {
    let log_sigmoid = |l: f64| l.min(0.0) - (-l.abs()).exp().ln_1p();
    -x * log_sigmoid(l) - (1.0 - x) * log_sigmoid(-l)
}

/// log C(λ) by the logit l of λ, for which 1 − 2λ = −tanh(l / 2).
fn log_normaliser(l: f64) -> f64 {
    if l == 0.0 { LN_2 } else { (l / (l / 2.0).tanh()).ln() }
}

/// The negative log-likelihood of the pixel x.
pub fn loss(likelihood: Likelihood, log_scale: f64, output: f64, x: f64) -> f64 {
    match likelihood {
        Bernoulli => cross_entropy(output, x),
        ContinuousBernoulli => cross_entropy(output, x) - log_normaliser(output),
        SquaredError => (output - x).powi(2),
        Gaussian(scale) => {
            let sigma = scale_of(scale, log_scale);
            ((x - output) / sigma).powi(2) / 2.0 + (sigma * TAU.sqrt()).ln()
        }
        Laplace(scale) => {
            let b = scale_of(scale, log_scale);
            (x - output).abs() / b + (2.0 * b).ln()
        }
    }
}

/// Its derivative by the output.
pub fn slope(likelihood: Likelihood, log_scale: f64, output: f64, x: f64) -> f64 {
    match likelihood {
        Bernoulli | ContinuousBernoulli if output > 0.0 && x > 0.5 => {
            -slope(likelihood, log_scale, -output, 1.0 - x)
        }
        Bernoulli | ContinuousBernoulli => mean(likelihood, output) - x,
        SquaredError => 2.0 * (output - x),
        Gaussian(scale) => (output - x) / scale_of(scale, log_scale).powi(2),
        Laplace(_) if output == x => 0.0,
        Laplace(scale) => (output - x).signum() / scale_of(scale, log_scale),
    }
}

/// Its derivative by the logarithm of the scale.
pub fn slope_by_scale(likelihood: Likelihood, log_scale: f64, output: f64, x: f64) -> f64 {
    match likelihood {
        Gaussian(scale) => 1.0 - ((x - output) / scale_of(scale, log_scale)).powi(2),
        Laplace(scale) => 1.0 - (x - output).abs() / scale_of(scale, log_scale),
        _ => panic!("{likelihood:?} has no scale"),
    }
}

pub fn mean(likelihood: Likelihood, output: f64) -> f64 {
    match likelihood {
        Bernoulli => logistic(output),
        // By the series of the paper's formula, by the formula.
        ContinuousBernoulli if output.abs() < 0.03 => {
            let l = output;
            0.5 + l / 12.0 - l.powi(3) / 720.0 + l.powi(5) / 30240.0
        }
        ContinuousBernoulli => -1.0 / (-output).exp_m1() - 1.0 / output,
        _ => output,
    }
}

pub fn variance(likelihood: Likelihood, log_scale: f64, output: f64) -> f64 {
    match likelihood {
        Bernoulli => logistic(output) * logistic(-output),
        ContinuousBernoulli if output.abs() < 0.03 => 1.0 / 12.0 - output.powi(2) / 240.0,
        ContinuousBernoulli => output.powi(-2) - (2.0 * (output / 2.0).sinh()).powi(-2),
        SquaredError => 0.5,
        Gaussian(scale) => scale_of(scale, log_scale).powi(2),
        Laplace(scale) => 2.0 * scale_of(scale, log_scale).powi(2),
    }
}

/// The continuous Bernoulli's inverse distribution function: ∫ exp(l t) dt from 0 to x is the part u
/// of that to 1.
pub fn continuous_quantile(l: f64, u: f64) -> f64 {
    match l {
        0.0 => u,
        _ if l > 0.0 => 1.0 - continuous_quantile(-l, 1.0 - u),
        _ => (u * l.exp_m1()).ln_1p() / l,
    }
}

/// A draw's noise around the output, in units of the scale.
pub fn spread(likelihood: Likelihood, log_scale: f64) -> f64 {
    match likelihood {
        SquaredError => 0.5f64.sqrt(),
        Gaussian(scale) | Laplace(scale) => scale_of(scale, log_scale),
        _ => panic!("{likelihood:?} has no scale"),
    }
}

#[test]
fn the_slopes_are_derivatives() {
    let outputs = [-30.0, -3.2, -1.0, -0.04, -0.02, 0.01, 0.5, 0.98, 2.5, 12.0];
    for (likelihood, log_scale) in super::ALL {
        for x in [0.0, 0.3, 1.0] {
            for output in outputs {
                let what = format!("{likelihood:?}");
                let by = [slope(likelihood, log_scale, output, x)];
                let f = |o: &[f64]| loss(likelihood, log_scale, o[0], x);
                check::assert_gradient(&what, f, &[output], &by);
                if likelihood.is_learnt() {
                    let by = [slope_by_scale(likelihood, log_scale, output, x)];
                    let f = |s: &[f64]| loss(likelihood, s[0], output, x);
                    check::assert_gradient(&what, f, &[log_scale], &by);
                }
            }
        }
    }
}

/// log C(λ) = log(2 atanh(1 − 2λ) / (1 − 2λ)), and the mean λ / (2λ − 1) + 1 / (2 atanh(1 − 2λ)),
/// as the paper has them; and the densities integrate to one.
#[test]
fn the_continuous_bernoulli_is_the_papers() {
    for l in [-9.0f64, -2.0, -0.5, -0.05, 0.05, 1.0, 4.0, 9.0] {
        let lambda = logistic(l);
        let apart = 1.0 - 2.0 * lambda;
        let normaliser = (2.0 * apart.atanh() / apart).ln();
        assert!((log_normaliser(l) - normaliser).abs() < 1e-9, "{l}: {normaliser}");
        let expected = lambda / (2.0 * lambda - 1.0) + 1.0 / (2.0 * apart.atanh());
        assert!((mean(ContinuousBernoulli, l) - expected).abs() < 1e-9, "{l}: {expected}");

        let n = 10_000;
        let at = |i: usize| (i as f64 + 0.5) / f64::from(n as u32);
        let density = |x: f64| (-loss(ContinuousBernoulli, 0.0, l, x)).exp() / f64::from(n as u32);
        let moment = |power| (0..n).map(|i| at(i).powi(power) * density(at(i))).sum::<f64>();
        let variance = variance(ContinuousBernoulli, 0.0, l);
        assert!((moment(0) - 1.0).abs() < 1e-6, "{l}: {}", moment(0));
        assert!((moment(2) - moment(1).powi(2) - variance).abs() < 1e-6, "{l}: {variance}");
        let quantile = continuous_quantile(l, 0.3);
        let below: f64 = (0..n).map(at).filter(|x| *x < quantile).map(density).sum();
        assert!((below - 0.3).abs() < 1e-3, "{l}: {below} below {quantile}");
    }
}
