//! Expressions that objectives are made of: negative log densities, KL divergences, sums and
//! products. Each gives the value of one element. All are in nats and include their constant terms
//! unless they say otherwise.

use super::expression::{Expression, IDENTITY};
use super::likelihood::{Likelihood, Scale};

/// z = mean + exp(log_variance / 2) · epsilon: a draw from a Gaussian, given a draw epsilon from
/// the standard normal (Kingma and Welling 2013, section 2.4).
pub const REPARAMETERIZE: Expression = Expression::new(
    "reparameterize",
    &["mean", "log_variance", "epsilon"],
    "mean + exp(0.5 * log_variance) * epsilon",
    &["1.0", "0.5 * exp(0.5 * log_variance) * epsilon", "exp(0.5 * log_variance)"],
);

/// The Kullback-Leibler divergence of a Gaussian from the standard normal,
/// ½ (mean² + exp(log_variance) − 1 − log_variance) (Kingma and Welling 2013, appendix B).
pub const NORMAL_KL: Expression = Expression::new(
    "normal_kl",
    &["mean", "log_variance"],
    "0.5 * (mean * mean + expm1(log_variance) - log_variance)",
    &["mean", "0.5 * expm1(log_variance)"],
);

/// Minus the standard normal's log density, ½ (x² + log 2π).
pub const STANDARD_NORMAL: Expression =
    Expression::new("standard_normal", &["x"], "0.5 * x * x + 0.91893853", &["x"]);

/// Minus a Gaussian's log density, ½ ((x − mean)² / exp(log_variance) + log_variance + log 2π).
pub const GAUSSIAN: Expression = Expression::new(
    "gaussian",
    &["x", "mean", "log_variance"],
    "0.5 * ((x - mean) * (x - mean) * exp(-log_variance) + log_variance) + 0.91893853",
    &[
        "(x - mean) * exp(-log_variance)",
        "(mean - x) * exp(-log_variance)",
        "0.5 - 0.5 * (x - mean) * (x - mean) * exp(-log_variance)",
    ],
);

/// Minus the log density of the Laplace distribution around 0 of scale 1, |x| + log 2; its slope at
/// 0 is taken to be 0.
pub const STANDARD_LAPLACE: Expression =
    Expression::new("standard_laplace", &["x"], "abs(x) + 0.69314718", &["sign(x)"]);

/// Minus the log-likelihood of a value x given the decoder's output, by
/// `shaders/shared/likelihood.wgsl`; the fields that those expressions share.
const PIXEL: Expression = Expression {
    imports: &["shared/likelihood"],
    ..Expression::new(
        "",
        &["output", "x"],
        "pixel_loss(output, x, Scale(1.0, 1.0, 0.0)).x",
        &["pixel_loss(output, x, Scale(1.0, 1.0, 0.0)).y", ""],
    )
};

/// [`Likelihood::Bernoulli`] of a logit: log(1 + exp(output)) − output · x.
pub const BERNOULLI: Expression =
    Expression { name: "bernoulli", constants: &[("LIKELIHOOD", 0)], ..PIXEL };

/// [`Likelihood::ContinuousBernoulli`] of a logit: log((exp(output) − 1) / output) − output · x
/// (Loaiza-Ganem and Cunningham 2019).
pub const CONTINUOUS_BERNOULLI: Expression =
    Expression { name: "continuous_bernoulli", constants: &[("LIKELIHOOD", 1)], ..PIXEL };

/// [`Likelihood::SquaredError`], (output − x)²: a Gaussian of variance ½ without its constant. It
/// has derivatives by both operands, so that it serves for any two values.
pub const SQUARED_ERROR: Expression = Expression::new(
    "squared_error",
    &["output", "x"],
    "(output - x) * (output - x)",
    &["2.0 * (output - x)", "2.0 * (x - output)"],
);

/// [`Likelihood::Gaussian`] of the standard deviation `scale`:
/// ½ ((output − x) / scale)² + log scale + ½ log 2π.
pub const GAUSSIAN_FIXED: Expression = Expression {
    name: "gaussian_fixed",
    constants: &[("LIKELIHOOD", 2)],
    numbers: &["scale"],
    value: "pixel_loss(output, x, Scale(scale, 1.0 / (scale * scale), log(scale) + 0.91893853)).x",
    slopes: &["pixel_loss(output, x, Scale(scale, 1.0 / (scale * scale), 0.0)).y", ""],
    ..PIXEL
};

/// [`GAUSSIAN_FIXED`] with the logarithm of the scale as a parameter (Rybkin et al. 2021), which is
/// clamped to [`super::likelihood::SCALES`].
pub const GAUSSIAN_LEARNT: Expression = Expression {
    name: "gaussian_learnt",
    imports: &["shared/density"],
    constants: &[("LIKELIHOOD", 2)],
    operands: &["output", "x", "log_scale"],
    value: "pixel_loss(output, x, learnt_scale(log_scale, 2.0, 0.91893853)).x",
    slopes: &[
        "pixel_loss(output, x, learnt_scale(log_scale, 2.0, 0.0)).y",
        "",
        "slope_by_log_scale(output, x, log_scale, 2.0)",
    ],
    ..PIXEL
};

/// [`Likelihood::Laplace`] of the scale `scale`: |output − x| / scale + log(2 · scale).
pub const LAPLACE_FIXED: Expression = Expression {
    name: "laplace_fixed",
    constants: &[("LIKELIHOOD", 3)],
    numbers: &["scale"],
    value: "pixel_loss(output, x, Scale(scale, 1.0 / scale, log(scale) + 0.69314718)).x",
    slopes: &["pixel_loss(output, x, Scale(scale, 1.0 / scale, 0.0)).y", ""],
    ..PIXEL
};

/// [`LAPLACE_FIXED`] with the logarithm of the scale as a parameter: see [`GAUSSIAN_LEARNT`].
pub const LAPLACE_LEARNT: Expression = Expression {
    name: "laplace_learnt",
    imports: &["shared/density"],
    constants: &[("LIKELIHOOD", 3)],
    operands: &["output", "x", "log_scale"],
    value: "pixel_loss(output, x, learnt_scale(log_scale, 1.0, 0.69314718)).x",
    slopes: &[
        "pixel_loss(output, x, learnt_scale(log_scale, 1.0, 0.0)).y",
        "",
        "slope_by_log_scale(output, x, log_scale, 1.0)",
    ],
    ..PIXEL
};

/// Minus the log probability of the count x, given the logarithm of the expected count:
/// exp(log_rate) − log_rate · x + log x!.
pub const POISSON: Expression = Expression::new(
    "poisson",
    &["log_rate", "x"],
    "exp(log_rate) - log_rate * x + log_gamma(x + 1.0)",
    &["exp(log_rate) - x", ""],
);

/// The binary cross-entropy of a discriminator's logit against the number `label`, 1 for real
/// examples and 0 for generated ones: log(1 + exp(logit)) − logit · label (Goodfellow et al. 2014).
pub const BINARY_CROSS_ENTROPY: Expression = Expression {
    name: "binary_cross_entropy",
    constants: &[("LIKELIHOOD", 0)],
    operands: &["logit"],
    numbers: &["label"],
    value: "pixel_loss(logit, label, Scale(1.0, 1.0, 0.0)).x",
    slopes: &["pixel_loss(logit, label, Scale(1.0, 1.0, 0.0)).y"],
    ..PIXEL
};

/// a · b
pub const PRODUCT: Expression = Expression::new("product", &["a", "b"], "a * b", &["b", "a"]);

/// a_weight · a + b_weight · b
pub const WEIGHTED_SUM: Expression = Expression {
    numbers: &["a_weight", "b_weight"],
    ..Expression::new(
        "weighted_sum",
        &["a", "b"],
        "a_weight * a + b_weight * b",
        &["a_weight", "b_weight"],
    )
};

/// Every expression of this module, and [`IDENTITY`].
pub const EXPRESSIONS: &[&Expression] = &[
    &BERNOULLI,
    &CONTINUOUS_BERNOULLI,
    &BINARY_CROSS_ENTROPY,
    &GAUSSIAN,
    &GAUSSIAN_FIXED,
    &GAUSSIAN_LEARNT,
    &IDENTITY,
    &LAPLACE_FIXED,
    &LAPLACE_LEARNT,
    &NORMAL_KL,
    &POISSON,
    &PRODUCT,
    &REPARAMETERIZE,
    &SQUARED_ERROR,
    &STANDARD_LAPLACE,
    &STANDARD_NORMAL,
    &WEIGHTED_SUM,
];

/// The expression of minus the log-likelihood, and its numbers. Its operands are the decoder's
/// output, the values, and the logarithm of the scale if that is learnt.
pub fn negative_log_likelihood(likelihood: Likelihood) -> (Expression, Vec<f64>) {
    match likelihood {
        Likelihood::Bernoulli => (BERNOULLI, vec![]),
        Likelihood::ContinuousBernoulli => (CONTINUOUS_BERNOULLI, vec![]),
        Likelihood::SquaredError => (SQUARED_ERROR, vec![]),
        Likelihood::Gaussian(Scale::Fixed(scale)) => (GAUSSIAN_FIXED, vec![scale]),
        Likelihood::Gaussian(Scale::Learnt) => (GAUSSIAN_LEARNT, vec![]),
        Likelihood::Laplace(Scale::Fixed(scale)) => (LAPLACE_FIXED, vec![scale]),
        Likelihood::Laplace(Scale::Learnt) => (LAPLACE_LEARNT, vec![]),
    }
}
