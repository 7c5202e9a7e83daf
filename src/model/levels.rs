//! Latent variables above others, and the divergence of all of them.

use super::network::HEAD;
use super::{Distribution, Network};
use crate::config::{LevelConfig, Prior};
use crate::error::{Error, Result};
use crate::nn::{Chain, Graph, Layer, Linear, Modules, Shape, ValueId};

/// The layers of a level: those from the latent variables below to its own, and back to the prior of those
/// below (Burda et al. 2016, section 5.1).
pub struct Level {
    /// The level's name, as in `levels.0`.
    pub label: String,
    /// Layers from the latent variables below.
    pub encoder: Chain,
    /// The layer that gives the means and log-variances of the level's own.
    pub head: Linear,
    /// Layers from these.
    pub decoder: Chain,
    /// The layer that gives the means and log-variances of the prior of those below.
    pub prior: Linear,
}

impl Level {
    /// The level number `i` that `config` names, above `below` latent variables.
    pub(super) fn new(
        i: usize,
        config: &LevelConfig,
        below: usize,
        modules: &mut Modules,
    ) -> Result<Self> {
        let label = format!("levels.{i}");
        let name = |part: &str| format!("{label}.{part}");
        let mut chain = |part: &str, layers, inputs: usize| -> Result<(Chain, usize)> {
            let chain = modules.chain_of(&name(part), layers, Shape::Features(inputs))?;
            match chain.output() {
                Shape::Features(outputs) => Ok((chain, outputs)),
                output => {
                    let message = format!("ends in maps of {output}, and must end in features");
                    Err(Error::layers(&name(part), message))
                }
            }
        };
        let linear = |inputs, outputs| Linear { inputs, outputs, activation: None };
        let (encoder, features) = chain("encoder", &config.encoder, below)?;
        let head = linear(features, 2 * config.latent);
        let (decoder, features) = chain("decoder", &config.decoder, config.latent)?;
        let prior = linear(features, 2 * below);
        modules.layer(&name(HEAD), &head);
        modules.layer(&name("prior"), &prior);
        Ok(Self { label, encoder, head, decoder, prior })
    }

    fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.label)
    }

    /// The posterior of the level's latent variables, given those below.
    fn posterior(&self, graph: &mut Graph, below: ValueId) -> ValueId {
        let features = self.encoder.apply(graph, below);
        self.head.apply(graph, &self.name(HEAD), &[features])
    }

    /// The prior of the latent variables below, given the level's own.
    fn prior(&self, graph: &mut Graph, z: ValueId) -> ValueId {
        let features = self.decoder.apply(graph, z);
        self.prior.apply(graph, &self.name("prior"), &[features])
    }

    /// Its layers in order, each with its name.
    pub(super) fn layers(&self) -> impl Iterator<Item = (String, &dyn Layer)> {
        fn links(chain: &Chain) -> impl Iterator<Item = (String, &dyn Layer)> {
            chain.links().iter().map(|link| (link.label.clone(), link.layer.as_ref()))
        }
        let of = |part: &str, layer| std::iter::once((self.name(part), layer as &dyn Layer));
        let (head, prior) = (of(HEAD, &self.head), of("prior", &self.prior));
        links(&self.encoder).chain(head).chain(links(&self.decoder)).chain(prior)
    }
}

impl Network {
    /// Latent variables of each level, from those that the image is decoded from upwards.
    pub(super) fn latents(&self) -> Vec<usize> {
        let config = self.config();
        [config.latent].into_iter().chain(config.levels.iter().map(|level| level.latent)).collect()
    }

    /// Records the divergence of each level from its prior, in nats of each row (rows, 1): the difference of
    /// the log densities of posterior and prior at the samples; with `closed`, that of the last level in
    /// closed form where it has one. Begins with the moments and a sample of the first level; `noise` has
    /// standard normals (rows, latent) for each level above.
    pub(super) fn divergences(
        &self,
        graph: &mut Graph,
        (moments, z): (ValueId, ValueId),
        noise: &[ValueId],
        closed: bool,
    ) -> Vec<ValueId> {
        let (mut moments, mut z, mut label) = (moments, z, HEAD.to_string());
        let mut divergences = Vec::new();
        for (level, noise) in self.levels.iter().zip(noise) {
            let above = level.posterior(graph, z);
            let sample = Distribution::Normal(above).rsample(graph, &level.name(HEAD), *noise);
            let prior = Distribution::Normal(level.prior(graph, sample));
            divergences.push(sampled_kl(graph, &label, moments, &prior, z));
            (moments, z, label) = (above, sample, level.name(HEAD));
        }
        let (posterior, prior) = (Distribution::Normal(moments), self.top_prior());
        let known = closed.then(|| posterior.kl(graph, &label, &prior)).flatten();
        divergences.push(match known {
            Some(kl) => kl,
            None => sampled_kl(graph, &label, moments, &prior, z),
        });
        divergences
    }

    /// The prior of the latent variables that have none above them.
    pub(super) fn top_prior(&self) -> Distribution {
        match self.config().prior {
            Prior::Normal => Distribution::StandardNormal,
            Prior::Laplace => Distribution::StandardLaplace,
        }
    }

    /// Records the first level's latent variables (rows, latent) for draws of the highest (rows, latent) and
    /// standard normals for each level below it, from the first upwards.
    pub(super) fn descended(&self, graph: &mut Graph, top: ValueId, noise: &[ValueId]) -> ValueId {
        self.levels.iter().zip(noise).rev().fold(top, |z, (level, noise)| {
            let prior = level.prior(graph, z);
            Distribution::Normal(prior).rsample(graph, &level.name("prior"), *noise)
        })
    }
}

/// log q(z) − log p(z) (rows, 1), of a posterior of these moments and a prior.
fn sampled_kl(
    graph: &mut Graph,
    label: &str,
    moments: ValueId,
    prior: &Distribution,
    z: ValueId,
) -> ValueId {
    let posterior = Distribution::Normal(moments).neg_log_prob(graph, label, z);
    let prior = prior.neg_log_prob(graph, &format!("{label}.prior"), z);
    super::samples::sum(graph, [1.0, -1.0], [prior, posterior])
}
