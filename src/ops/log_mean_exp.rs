//! The importance-weighted bound from the nats of several samples of each example (Burda et al. 2016).

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/log_mean_exp.wgsl`.
pub const SHADER: Shader = Shader::new("log_mean_exp");

/// The row of a total of no samples.
pub const NONE: [f32; 2] = [f32::MAX, 0.0];

#[derive(Serialize)]
struct Params {
    examples: usize,
    samples: usize,
    row: usize,
    y_row: usize,
}

fn params(label: &str, [few, many]: [&Tensor; 2]) -> Params {
    let (examples, samples) = (few.rows(), many.rows() / few.rows());
    assert_eq!(many.rows(), examples * samples, "{label}: rows of the samples");
    let (row, y_row) = (many.stride(), few.stride());
    Params { examples, samples, row, y_row }
}

/// y (examples, 1) = −log((1 / k) Σ exp(−nats)) over the k rows of each example in nats (examples · k, 1),
/// where those are log q(z | x) − log p(x, z), in nats: the bound of Burda et al., equation 8, as a loss.
/// weights (examples · k, 1) = exp(−nats) by their sum over an example, the normalized importance weights.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    nats: &Tensor,
    weights: &Tensor,
    y: &Tensor,
) {
    assert_eq!(nats.stride(), weights.stride(), "{label}: layouts of nats and weights");
    let params = params(label, [y, nats]);
    let tensors = [("nats", nats), ("weights", weights), ("y", y)];
    recording.record_elements(SHADER.kernel("forward", &[]), label, &params, &tensors, y.rows());
}

/// dx (examples · k, 1) = dy (examples, 1) · weights, with the weights of [`forward`] (equation 14).
pub fn backward(
    recording: &mut Recording,
    label: &str,
    dy: &Tensor,
    weights: &Tensor,
    dx: &Tensor,
) {
    assert_eq!(dx.stride(), weights.stride(), "{label}: layouts of dx and weights");
    let params = params(label, [dy, dx]);
    let tensors = [("dy", dy), ("weights", weights), ("dx", dx)];
    recording.record_elements(SHADER.kernel("backward", &[]), label, &params, &tensors, dy.rows());
}

/// Adds the k samples of each example in nats (examples · k, 1) to total (examples, 2): the least nats so far,
/// and the sum of exp(least − nats), which are [`NONE`] before the first. After K samples in all, −log of
/// their mean is least − log(sum / K).
pub fn accumulate(recording: &mut Recording, label: &str, nats: &Tensor, total: &Tensor) {
    assert_eq!(total.columns(), 2, "{label}: columns of total");
    let params = params(label, [total, nats]);
    let tensors = [("nats", nats), ("total", total)];
    let kernel = SHADER.kernel("accumulate", &[]);
    recording.record_elements(kernel, label, &params, &tensors, total.rows());
}
