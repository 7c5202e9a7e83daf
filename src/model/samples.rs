//! Bounds of several samples of each image.

use super::condition::CONDITION;
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
        (steps, epochs): (usize, u32),
    ) -> Vec<Term> {
        let (config, rows) = (self.config(), batch.rows);
        let (k, is_iwae) = (config.samples, config.bound == Bound::Iwae);
        let x = graph.input(self.input, rows, batch.x.clone());
        let condition = self.batch_condition(graph, batch);
        let head = self.encoded(graph, x, condition);
        let moments = repeated(graph, HEAD, head, k);
        let condition = condition.map(|c| repeated(graph, CONDITION, c, k));
        // The divergence of a bound of weights is known, and has no part in the gradient.
        let objective = if is_iwae { KlObjective::weighted(0.0) } else { *objective };
        let levels = self.latents().into_iter().zip(&batch.noise);
        let noise: Vec<_> = levels
            .map(|(latent, noise)| graph.input(Shape::Features(latent), rows * k, noise.clone()))
            .collect();
        let z = match noise.first() {
            Some(noise) => Distribution::Normal(moments).rsample(graph, HEAD, *noise),
            None => self.reparameterized(graph, moments, &batch.epsilon, running, &objective),
        };
        let weights = graph.allocate(Shape::Features(1), rows * k);
        // Samples of the posterior pass the weights' squares on (Tucker et al. 2018): once here, and once
        // by the bound itself.
        let (z, posterior) = match config.gradient {
            Gradient::Reparameterized => (z, moments),
            Gradient::Dreg => {
                (graph.scale_gradient(HEAD, z, weights.clone()), graph.detach(moments))
            }
        };
        let target = graph.input(self.decoder.output(), rows, batch.target.clone());
        let recon = self.recon(graph, (z, condition), target, k);
        let term = Term::new(RECON, recon);
        if !is_iwae && !config.is_deep() {
            return vec![term, Term::kl(KL, objective)];
        }
        let above = noise.get(1..).unwrap_or_default();
        let divergences = self.divergences(graph, (posterior, z), above, !is_iwae);
        let named = |(i, kl): (usize, &ValueId)| Term::new(&self.kl_name(i), *kl);
        let levels = divergences.iter().enumerate();
        if !is_iwae {
            let above = config.levels.iter().map(|level| level.kl_objective(steps, epochs));
            let objectives = [objective].into_iter().chain(above);
            let terms = levels.zip(objectives).map(|(level, kl)| named(level).scheduled(kl));
            return [term].into_iter().chain(terms).collect();
        }
        let nats = total(graph, recon, &divergences);
        let bound = graph.log_mean_exp("bound", nats, k, &weights);
        let mut terms = vec![Term::new(IWAE, bound), term.weighted(0.0)];
        match config.is_deep() {
            true => terms.extend(levels.map(|level| named(level).weighted(0.0))),
            false => terms.push(Term::kl(KL, objective)),
        }
        terms
    }

    /// The name of the divergence of level `i`.
    fn kl_name(&self, i: usize) -> String {
        if self.levels.is_empty() { KL.into() } else { format!("{KL}.{}", i + 1) }
    }

    /// Records −log p(x | z) (rows · k, 1) of the images `target`, which have `rows` rows, for z and a
    /// condition of k samples of each.
    pub(super) fn recon(
        &self,
        graph: &mut Graph,
        (z, condition): (ValueId, Option<ValueId>),
        target: ValueId,
        k: usize,
    ) -> ValueId {
        let given = self.beside(graph, "decoder", z, condition);
        let output = self.decoder.apply(graph, given);
        // Maps have several rows an image, which formulas cannot take for its samples by turns.
        let target = match graph.shape(target) {
            Shape::Features(_) => target,
            Shape::Map { .. } => repeated(graph, "target", target, k),
        };
        self.likelihood(graph, output).neg_log_prob(graph, "decoder", target)
    }
}

/// Rows of x for each of k samples of an image.
pub(super) fn repeated(graph: &mut Graph, label: &str, x: ValueId, k: usize) -> ValueId {
    if k > 1 { graph.repeat(label, x, k) } else { x }
}

/// `first` and all of `others`, added.
pub(super) fn total(graph: &mut Graph, first: ValueId, others: &[ValueId]) -> ValueId {
    others.iter().fold(first, |total, other| sum(graph, [1.0, 1.0], [total, *other]))
}

/// The weighted sum of two values.
pub(super) fn sum(graph: &mut Graph, weights: [f64; 2], values: [ValueId; 2]) -> ValueId {
    graph.map("bound", &WEIGHTED_SUM, &weights, &values.map(Argument::from))
}
