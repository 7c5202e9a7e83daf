//! The latent variables: reparameterization and KL divergence (Kingma and Welling 2013).

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/latent.wgsl`.
pub const SHADER: Shader = Shader::new("latent");

/// What the objective makes of the KL divergence, in steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlObjective {
    /// Its weight β.
    pub weight: f64,
    /// The nats that it is held at (Burgess 2018), β · |KL − capacity|; without one it is β · KL.
    pub capacity: Option<f64>,
    /// Nats for each latent variable that cost nothing (Kingma 2016).
    pub free_bits: f64,
    /// Steps in which β, or the capacity, rises from 0.
    pub ramp: u32,
    /// Steps after which it begins again at 0 (Fu 2019); never at 0.
    pub period: u32,
}

impl KlObjective {
    /// β · KL.
    pub fn weighted(weight: f64) -> Self {
        Self { weight, capacity: None, free_bits: 0.0, ramp: 0, period: 0 }
    }

    /// What the objective makes of the KL divergence of each latent variable in the end, in nats.
    pub fn cost(&self, unit_kl: &[f64]) -> f64 {
        let cost = match self.capacity {
            Some(nats) => (unit_kl.iter().sum::<f64>() - nats).abs(),
            None => unit_kl.iter().map(|kl| kl.max(self.free_bits)).sum(),
        };
        self.weight * cost
    }

    /// β in step `step`, counted from 0.
    pub fn weight_at(&self, step: u32) -> f64 {
        let at = step.checked_rem(self.period).unwrap_or(step);
        let climbs = self.capacity.is_none() && at < self.ramp;
        if climbs { self.weight * f64::from(at) / f64::from(self.ramp) } else { self.weight }
    }
}

#[derive(Serialize)]
struct Params {
    rows: usize,
    latent: usize,
    head_row: usize,
    z_row: usize,
    weight: f64,
    capacity: f64,
    free_bits: f64,
    ramp: u32,
    period: u32,
}

fn params(head: &Tensor, z: &Tensor, objective: &KlObjective) -> Params {
    Params {
        rows: head.rows(),
        latent: z.columns(),
        head_row: head.stride(),
        z_row: z.stride(),
        weight: objective.weight,
        capacity: objective.capacity.unwrap_or(-1.0),
        free_bits: objective.free_bits,
        ramp: objective.ramp,
        period: objective.period,
    }
}

/// Values in `units` for each latent variable: running means over an epoch of its KL divergence, of
/// the posterior's mean, and of that squared.
pub const STATISTICS: usize = 3;

/// z (batch, latent) = mean + exp(logvar / 2) · epsilon, with head (batch, 2 · latent) the means, then
/// the log-variances, and epsilon (batch · latent). kl (latent) is each variable's divergence from the
/// standard normal, ½ (mean² + exp(logvar) − logvar − 1), in nats, summed over the batch. Adds to
/// `units` ([`STATISTICS`], latent), over the images of an epoch that `state` counts; both may lie in
/// one buffer.
#[expect(clippy::too_many_arguments, reason = "three read, three written")]
pub fn forward(
    recording: &mut Recording,
    label: &str,
    state: &Tensor,
    head: &Tensor,
    epsilon: &Tensor,
    z: &Tensor,
    kl: &Tensor,
    units: &Tensor,
) {
    let kernel = SHADER.kernel("forward", &[]);
    let params = params(head, z, &KlObjective::weighted(1.0));
    let tensors = [
        ("state", state),
        ("head", head),
        ("epsilon", epsilon),
        ("z", z),
        ("kl", kl),
        ("units", units),
    ];
    recording.record_flat(kernel, label, &params, &tensors, z.columns());
}

/// dhead from dz, plus the gradient of the batch mean of `divergence` at the step in `state`; head,
/// epsilon and kl are those of [`forward`].
#[expect(clippy::too_many_arguments, reason = "five read, one written")]
pub fn backward(
    recording: &mut Recording,
    label: &str,
    state: &Tensor,
    objective: &KlObjective,
    head: &Tensor,
    epsilon: &Tensor,
    kl: &Tensor,
    dz: &Tensor,
    dhead: &Tensor,
) {
    assert_eq!(head.stride(), dhead.stride(), "{label}: layouts differ");
    let kernel = SHADER.kernel("backward", &[]);
    let params = params(head, dz, objective);
    let tensors = [
        ("state", state),
        ("head", head),
        ("epsilon", epsilon),
        ("kl", kl),
        ("dz", dz),
        ("dhead", dhead),
    ];
    recording.record_elements(kernel, label, &params, &tensors, dz.len());
}
