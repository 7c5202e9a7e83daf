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

/// Invocations in a workgroup of the shader.
const LANES: usize = 64;
/// Largest number of partial sums of the loss, one a workgroup: enough to fill a GPU, and few
/// enough for one workgroup to add them up. A software adapter has few cores, and barriers cost it
/// more.
fn most_sums(recording: &Recording) -> usize {
    if recording.adapter().is_software() { 32 } else { 2048 }
}

/// Mirrors the shader struct `Params` of `shaders/loss.wgsl`.
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

/// The loss of the decoder's output = activation(pre) against `target`, both (rows, columns), and
/// `dy`, the gradient of its mean over the `batch` with respect to `pre`. Returns the loss in nats,
/// in partial sums that add up to the batch's.
///
/// `log_scale` (1) is the logarithm of a learnt scale; panics if it is missing then, or given
/// otherwise.
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

/// dlog_scale (1), the gradient of the loss's mean over the `batch` with respect to log_scale, from
/// the `losses` that [`forward`] returned for `target`. Panics unless the scale is learnt.
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

/// The likelihood's `mean` (rows, columns) given the decoder's `output` (rows, columns): a value in
/// \[0, 1\] for a logit, otherwise the output itself.
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

/// Fills `drawn` (rows, columns) with draws from the likelihood given the decoder's `output` (rows,
/// columns): a pure function of `seed`, the step in `state` and the element's place. Bernoulli
/// pixels are 0 or 1, continuous Bernoulli ones between; the others are the output with noise
/// added.
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
    /// The parameters for a matrix's layout and a likelihood.
    fn new(likelihood: Likelihood, matrix: &Tensor) -> Self {
        assert!(matrix.stride().is_multiple_of(4), "matrices must be padded");
        // The shader applies a learnt scale itself, and takes the numbers of scale 1 from here.
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
    let constants = [("LIKELIHOOD", likelihood.number()), activation::constant(activation)];
    SHADER.kernel(entry, &constants)
}

/// The tensor to bind to `log_scale`, which only likelihoods with a learnt scale read; panics if it
/// is missing for those, or given for others.
fn log_scale_of(label: &str, likelihood: Likelihood, given: Option<&Tensor>) -> Tensor {
    assert_eq!(given.is_some(), likelihood.is_learnt(), "{label}: log_scale of {likelihood:?}");
    given.cloned().unwrap_or_else(|| Tensor::zeros("log_scale", &[1]))
}
