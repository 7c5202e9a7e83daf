//! The reconstruction loss, the negative log-likelihood of the pixels, with its gradient; and the
//! likelihood's mean and draws from it. Matrices are (rows, columns), padded: a batch of features
//! (batch, values), or of maps (batch · height · width, channels).

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, TAU};
use std::sync::Arc;

use serde::Serialize;

use super::activation::{self, Activation};
use super::likelihood::{Likelihood, Scale};
use super::{Stream, halves};
use crate::gpu::{Kernel, Recording, Shader, Tensor};

/// `shaders/loss.wgsl`.
pub const SHADER: Shader = Shader::new("loss");

/// The distributions that the kernels tell apart, as their constant `LIKELIHOOD` counts.
pub const KINDS: [&str; 4] = ["bernoulli", "continuous_bernoulli", "gaussian", "laplace"];

/// Invocations in a workgroup, as the shader has them.
const LANES: usize = 64;
/// Sums that the loss is left in at most: enough workgroups to fill a GPU, and few enough for one to
/// add them up. On a processor, few cores share them, and each costs barriers.
fn most_sums(recording: &Recording) -> usize {
    if recording.adapter().is_software() { 32 } else { 2048 }
}

/// As `Params` in the shader.
#[derive(Default, Serialize)]
struct Params {
    quads: usize,
    columns: usize,
    row_quads: usize,
    stride: usize,
    turn: usize,
    sums: usize,
    batch: f64,
    pixels: f64,
    scale: f64,
    rate: f64,
    constant: f64,
    power: f64,
    learnt: u32,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

/// The loss of `pre` (rows, columns), what goes into the output's activation (the output itself
/// without one), against `target` of the same shape, and `dy`, the gradient of its mean over the
/// `batch` by `pre`. Returns the loss in nats, in parts that add up to the batch's sum.
///
/// `log_scale` (1) is the logarithm of the scale where that is learnt; panics if it is missing there, or
/// given elsewhere.
#[expect(clippy::too_many_arguments, reason = "the output, the target and the gradient")]
pub fn forward(
    recording: &mut Recording,
    label: &str,
    likelihood: Likelihood,
    pre: &Tensor,
    activation: Option<Activation>,
    target: &Tensor,
    log_scale: Option<&Tensor>,
    batch: usize,
    dy: &Tensor,
) -> Tensor {
    assert_eq!(pre.shape(), target.shape(), "{label}: shapes of output and target");
    assert_eq!([pre.stride(); 2], [target.stride(), dy.stride()], "{label}: layouts differ");
    let mut params = Params { batch: batch as f64, ..Params::new(likelihood, pre) };
    let sums = params.quads.div_ceil(LANES).min(most_sums(recording));
    params.stride = sums * LANES;
    params.turn = params.stride % params.row_quads;
    let losses = recording.vector(sums);
    let tensors = [
        ("pre", pre),
        ("pixels", target),
        ("log_scale", &log_scale_of(label, likelihood, log_scale)),
        ("dy", dy),
        ("losses", &losses),
    ];
    let kernel = kernel("forward", likelihood, activation);
    recording.record_flat(kernel, label, &params, &tensors, sums);
    losses
}

/// dlog_scale (1), the gradient of the loss's mean over the `batch` by log_scale, from the `losses`
/// that [`forward`] returned for `target`. Panics unless the scale is learnt.
#[expect(clippy::too_many_arguments, reason = "what forward had, and the gradient")]
pub fn backward_scale(
    recording: &mut Recording,
    label: &str,
    likelihood: Likelihood,
    target: &Tensor,
    losses: &Tensor,
    log_scale: &Tensor,
    batch: usize,
    dlog_scale: &Tensor,
) {
    let params = Params {
        sums: losses.len(),
        batch: batch as f64,
        pixels: (target.len() / batch) as f64,
        ..Params::new(likelihood, target)
    };
    let log_scale = log_scale_of(label, likelihood, Some(log_scale));
    let tensors = [("losses", losses), ("log_scale", &log_scale), ("dlog_scale", dlog_scale)];
    let kernel = kernel("backward_scale", likelihood, None);
    recording.record_flat(kernel, label, &params, &tensors, 1);
}

/// The likelihood's `mean` (rows, columns) for the decoder's `output` (rows, columns): of a logit a
/// value in \[0, 1\], otherwise the output itself.
pub fn mean(
    recording: &mut Recording,
    label: &str,
    likelihood: Likelihood,
    output: &Tensor,
    mean: &Tensor,
) {
    assert_eq!(output.shape(), mean.shape(), "{label}: shapes");
    let params = Params::new(likelihood, output);
    let kernel = kernel("mean", likelihood, None);
    let tensors = [("output", output), ("mean_of", mean)];
    recording.record_elements(kernel, label, &params, &tensors, params.quads);
}

/// Fills `drawn` (rows, columns) from the likelihood for the decoder's `output` (rows, columns): a
/// pure function of `seed`, the step in `state` and the element's place. Bernoulli pixels are 0 or
/// 1, those of the continuous Bernoulli between; the others add noise to the output.
#[expect(clippy::too_many_arguments, reason = "the output and what to draw from")]
pub fn draw(
    recording: &mut Recording,
    label: &str,
    likelihood: Likelihood,
    seed: u64,
    state: &Tensor,
    output: &Tensor,
    log_scale: Option<&Tensor>,
    drawn: &Tensor,
) {
    assert_eq!(output.shape(), drawn.shape(), "{label}: shapes");
    let [seed_low, seed_high] = halves(seed);
    let params = Params {
        seed_low,
        seed_high,
        stream: Stream::Pixels as u32,
        ..Params::new(likelihood, output)
    };
    let tensors = [
        ("state", state),
        ("output", output),
        ("log_scale", &log_scale_of(label, likelihood, log_scale)),
        ("drawn", drawn),
    ];
    let kernel = kernel("draw", likelihood, None);
    recording.record_elements(kernel, label, &params, &tensors, params.quads);
}

impl Params {
    /// Of a matrix and a likelihood.
    fn new(likelihood: Likelihood, matrix: &Tensor) -> Self {
        assert!(matrix.stride().is_multiple_of(4), "matrices must be padded");
        // Of a learnt scale, what there is at scale 1.
        let number = |scale| if let Scale::Fixed(number) = scale { number } else { 1.0 };
        let (scale, power, constant) = match likelihood {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => (1.0, 0.0, 0.0),
            Likelihood::SquaredError => (FRAC_1_SQRT_2, 2.0, 0.0),
            Likelihood::Gaussian(scale) => {
                (number(scale), 2.0, 0.5 * TAU.ln() + number(scale).ln())
            }
            Likelihood::Laplace(scale) => (number(scale), 1.0, LN_2 + number(scale).ln()),
        };
        Self {
            quads: matrix.extent() / 4,
            columns: matrix.columns(),
            row_quads: matrix.stride() / 4,
            scale,
            rate: scale.powf(-power),
            constant,
            power,
            learnt: likelihood.is_learnt().into(),
            ..Self::default()
        }
    }
}

fn kernel(entry: &str, likelihood: Likelihood, activation: Option<Activation>) -> Arc<Kernel> {
    let kind = match likelihood {
        Likelihood::Bernoulli => "bernoulli",
        Likelihood::ContinuousBernoulli => "continuous_bernoulli",
        Likelihood::SquaredError | Likelihood::Gaussian(_) => "gaussian",
        Likelihood::Laplace(_) => "laplace",
    };
    let constants = [("LIKELIHOOD", super::kind(&KINDS, kind)), activation::constant(activation)];
    SHADER.kernel(entry, &constants)
}

/// What to bind where a learnt scale is read; panics if it is missing, or superfluous.
fn log_scale_of(label: &str, likelihood: Likelihood, given: Option<&Tensor>) -> Tensor {
    assert_eq!(given.is_some(), likelihood.is_learnt(), "{label}: log_scale of {likelihood:?}");
    given.cloned().unwrap_or_else(|| Tensor::zeros("log_scale", &[1]))
}
