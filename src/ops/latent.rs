//! The latent variables: reparameterization and KL divergence (Kingma and Welling 2013).

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/latent.wgsl`.
pub const SHADER: Shader = Shader::new("latent");

/// The objective's term for the KL divergence, as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlObjective {
    /// The weight β, as in the β-VAE.
    pub weight: f64,
    /// A target in nats, with which the term is β · |KL − capacity| (Burgess 2018) and not β · KL.
    pub capacity: Option<f64>,
    /// Nats of each latent variable's KL divergence that cost nothing (Kingma 2016).
    pub free_bits: f64,
    /// Steps in which β, or the capacity if there is one, rises linearly from 0 to its full value.
    pub ramp: u32,
    /// Steps after which the ramp begins again (Fu 2019); 0 if it never does.
    pub period: u32,
}

impl KlObjective {
    /// The term β · KL with β = `weight` from the first step on.
    pub fn weighted(weight: f64) -> Self {
        Self { weight, capacity: None, free_bits: 0.0, ramp: 0, period: 0 }
    }

    /// The term's value in nats after the ramp, given the KL divergence of each latent variable.
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
    samples: usize,
}

fn params(head: &Tensor, z: &Tensor, samples: usize, objective: &KlObjective) -> Params {
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
        samples,
    }
}

/// Number of values in `units` for each latent variable, which are statistics over the rows of an epoch so
/// far: of its KL divergence the sum by the images of an epoch, in two parts; of the posterior's mean its
/// value in the first row, the distance from there to its average, and the sum of its squared distances
/// from the average by the images of an epoch.
pub const STATISTICS: usize = 5;

/// z (batch, latent) = mean + exp(logvar / 2) · epsilon, with head (batch, 2 · latent) the means,
/// then the log-variances, and epsilon (batch · latent). kl (latent + 1) is each latent variable's KL
/// divergence from the standard normal prior, ½ (mean² + exp(logvar) − logvar − 1), in nats, summed
/// over the batch, and place for [`backward`]. Adds the batch to the statistics `units` ([`STATISTICS`],
/// latent), by the images of an epoch and its rows so far in `state`; those of its first step begin anew.
/// `state` and `units` may lie in one buffer. An image may have several `samples`, each a row of the batch.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    state: &Tensor,
    samples: usize,
    [head, epsilon, z, kl]: [&Tensor; 4],
    units: &Tensor,
) {
    assert!(kl.len() > z.columns(), "{label}: a KL divergence for each latent variable, and all");
    let kernel = SHADER.kernel("forward", &[]);
    let params = params(head, z, samples, &KlObjective::weighted(1.0));
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

/// dhead from dz, plus the gradient of `objective`, averaged over the batch, at the step in
/// `state`. head, epsilon and kl are those of [`forward`]; with a capacity, the sum of kl is written
/// behind it first.
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
    assert!(kl.len() > dz.columns(), "{label}: a KL divergence for each latent variable, and all");
    let params = params(head, dz, 1, objective);
    if objective.capacity.is_some() {
        let kernel = SHADER.kernel("total", &[]);
        recording.record_flat(kernel, label, &params, &[("kl", kl)], 1);
    }
    let kernel = SHADER.kernel("backward", &[]);
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
