//! Bounds of several samples of each image.

use super::network::HEAD;
use super::pass::{KL, RECON};
use super::{Batch, Distribution, Network, Running, Term};
use crate::config::{Bound, Gradient};
use crate::nn::{Argument, Graph, Shape, ValueId};
use crate::ops::density::WEIGHTED_SUM;
use crate::ops::latent::KlObjective;

/// The name of the importance-weighted bound.
pub const IWAE: &str = "iwae";

impl Network {
    /// Records the terms of `batch` with k samples of each image's latent variables. The encoder sees each
    /// image once; z and what is computed from it have k successive rows for each.
    ///
    /// With the plain bound these are the reconstruction loss, averaged over the samples, and the
    /// divergence. With the importance-weighted one it is that bound, −log((1 / k) Σ p(x, z) / q(z | x))
    /// (Burda et al. 2016, equation 8), beside which the others are only reported.
    pub(super) fn sampled(
        &self,
        graph: &mut Graph,
        batch: &Batch,
        running: &Running,
        objective: &KlObjective,
    ) -> Vec<Term> {
        let (config, rows) = (self.config(), batch.rows);
        let (k, is_iwae) = (config.samples, config.bound == Bound::Iwae);
        let x = graph.input(self.input, rows, batch.x.clone());
        let condition = self.batch_condition(graph, batch);
        let head = self.encoded(graph, x, condition);
        let moments = self.of_samples(graph, HEAD, head);
        let condition = condition.map(|c| self.of_samples(graph, "condition", c));
        // The divergence of a bound of weights is known, and has no part in the gradient.
        let objective = if is_iwae { KlObjective::weighted(0.0) } else { *objective };
        let z = self.reparameterized(graph, moments, &batch.epsilon, running, &objective);
        let weights = graph.allocate(Shape::Features(1), rows * k);
        // Samples of the posterior pass the weights' squares on (Tucker et al. 2018): once here, and once
        // by the bound itself.
        let (z, posterior) = match config.gradient {
            Gradient::Reparameterized => (z, moments),
            Gradient::Dreg => {
                (graph.scale_gradient(HEAD, z, weights.clone()), graph.detach(moments))
            }
        };
        let given = self.beside(graph, "decoder", z, condition);
        let output = self.decoder.apply(graph, given);
        let target = graph.input(graph.shape(output), rows, batch.target.clone());
        // Maps have several rows an image, which formulas cannot take for its samples by turns.
        let target = match graph.shape(output) {
            Shape::Features(_) => target,
            Shape::Map { .. } => self.of_samples(graph, "target", target),
        };
        let recon = self.likelihood(graph, output).neg_log_prob(graph, "decoder", target);
        let term = Term::new(RECON, recon);
        if !is_iwae {
            return vec![term, Term::kl(KL, objective)];
        }
        let nats = self.weight(graph, posterior, z, recon);
        let bound = graph.log_mean_exp("bound", nats, k, &weights);
        vec![Term::new(IWAE, bound), term.weighted(0.0), Term::kl(KL, objective)]
    }

    /// Records log q(z | x) − log p(x, z) (rows, 1), minus the logarithm of each sample's weight, from the
    /// posterior's moments (rows, 2 · latent), z (rows, latent) and −log p(x | z) (rows, 1).
    pub(super) fn weight(
        &self,
        graph: &mut Graph,
        moments: ValueId,
        z: ValueId,
        recon: ValueId,
    ) -> ValueId {
        let prior = Distribution::StandardNormal.neg_log_prob(graph, "prior", z);
        let posterior = Distribution::Normal(moments).neg_log_prob(graph, HEAD, z);
        let joint = sum(graph, [1.0, 1.0], [recon, prior]);
        sum(graph, [1.0, -1.0], [joint, posterior])
    }

    /// Rows of x for each sample of an image.
    fn of_samples(&self, graph: &mut Graph, label: &str, x: ValueId) -> ValueId {
        match self.config().samples {
            1 => x,
            k => graph.repeat(label, x, k),
        }
    }
}

/// The weighted sum of two values.
fn sum(graph: &mut Graph, weights: [f64; 2], values: [ValueId; 2]) -> ValueId {
    graph.map("bound", &WEIGHTED_SUM, &weights, &values.map(Argument::from))
}
