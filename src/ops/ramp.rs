//! Weights of terms that are functions of the step.

use serde::Serialize;

use super::latent::KlObjective;
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/ramp.wgsl`.
pub const SHADER: Shader = Shader::new("ramp");

#[derive(Serialize)]
struct Params {
    rows: usize,
    row: usize,
    weight: f64,
    ramp: u32,
    period: u32,
}

/// y (rows, 1) = the weight of `objective` at the step in `state`, by the number of rows: the gradient of a
/// term's batch mean by each row's nats.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    state: &Tensor,
    objective: &KlObjective,
    y: &Tensor,
) {
    let KlObjective { weight, capacity, free_bits, ramp, period } = *objective;
    assert!(
        capacity.is_none() && free_bits == 0.0,
        "{label}: wants the divergence of each variable"
    );
    let params =
        Params { rows: y.rows(), row: y.stride(), weight: weight / y.rows() as f64, ramp, period };
    let kernel = SHADER.kernel("forward", &[]);
    recording.record_elements(kernel, label, &params, &[("state", state), ("y", y)], y.extent());
}
