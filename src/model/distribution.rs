//! Distributions over the rows of a batch, while a model is recorded.

use crate::gpu::Tensor;
use crate::nn::{Argument, Graph, Shape, ValueId};
use crate::ops::density;
use crate::ops::expression::IDENTITY;
use crate::ops::likelihood::Likelihood;

/// A distribution of each row, whose values are independent: a prior, a posterior or a likelihood. All of
/// its functions record; `label` begins the names of their dispatches.
#[derive(Clone)]
pub enum Distribution {
    /// Standard normals, as many as are asked for.
    StandardNormal,
    /// Laplace distributions around 0 of scale 1, as many as are asked for.
    StandardLaplace,
    /// Gaussians: means and log-variances, side by side (rows, 2 · n).
    Normal(ValueId),
    /// Pixels, or other values, given a decoder's output (rows, n).
    Given {
        /// Their distribution.
        likelihood: Likelihood,
        /// The output that is its location or logit.
        output: ValueId,
        /// The logarithm of its scale (1), where that is learnt.
        log_scale: Option<Tensor>,
    },
    /// Poisson counts of which the logarithms of the rates are given (rows, n).
    Poisson(ValueId),
}

impl Distribution {
    /// Minus the log density of x (rows, n), summed over each row: nats (rows, 1). Gradients go to x and
    /// to what the distribution was computed from.
    pub fn neg_log_prob(&self, graph: &mut Graph, label: &str, x: ValueId) -> ValueId {
        match self {
            Self::StandardNormal => {
                graph.row_sums(label, &density::STANDARD_NORMAL, &[], &[x.into()])
            }
            Self::StandardLaplace => {
                graph.row_sums(label, &density::STANDARD_LAPLACE, &[], &[x.into()])
            }
            Self::Normal(moments) => {
                let [mean, log_variance] = halves(graph, *moments);
                graph.row_sums(label, &density::GAUSSIAN, &[], &[x.into(), mean, log_variance])
            }
            Self::Given { likelihood, output, log_scale } => {
                let (expression, numbers) = density::negative_log_likelihood(*likelihood);
                let scale = log_scale.clone().map(Argument::Parameter);
                let arguments: Vec<_> =
                    [(*output).into(), x.into()].into_iter().chain(scale).collect();
                graph.row_sums(label, &expression, &numbers, &arguments)
            }
            Self::Poisson(log_rate) => {
                graph.row_sums(label, &density::POISSON, &[], &[(*log_rate).into(), x.into()])
            }
        }
    }

    /// A draw (rows, n), made of standard normals (rows, n) so that gradients go to means and
    /// log-variances (Kingma and Welling 2013, section 2.4). Panics unless it is a Gaussian.
    pub fn rsample(&self, graph: &mut Graph, label: &str, noise: ValueId) -> ValueId {
        match self {
            Self::StandardNormal => noise,
            Self::Normal(moments) => {
                let [mean, log_variance] = halves(graph, *moments);
                let arguments = [mean, log_variance, noise.into()];
                graph.map(label, &density::REPARAMETERIZE, &[], &arguments)
            }
            _ => panic!("{label}: only Gaussians are drawn from by normals"),
        }
    }

    /// The means of Gaussians (rows, n). Panics for other distributions.
    pub fn mean(&self, graph: &mut Graph, label: &str) -> ValueId {
        let Self::Normal(moments) = self else { panic!("{label}: the mean of no Gaussian") };
        let [mean, _] = halves(graph, *moments);
        graph.map(label, &IDENTITY, &[], &[mean])
    }

    /// The Kullback-Leibler divergence from `prior`, summed over each row: nats (rows, 1). Nothing where
    /// the pair has no closed form; then it is the difference of the nats of a draw.
    pub fn kl(&self, graph: &mut Graph, label: &str, prior: &Self) -> Option<ValueId> {
        match (self, prior) {
            (Self::Normal(moments), Self::StandardNormal) => {
                let moments = halves(graph, *moments);
                Some(graph.row_sums(label, &density::NORMAL_KL, &[], &moments))
            }
            _ => None,
        }
    }
}

/// The means and the log-variances.
fn halves(graph: &Graph, moments: ValueId) -> [Argument; 2] {
    let Shape::Features(columns) = graph.shape(moments) else { panic!("moments are features") };
    let size = columns / 2;
    [0..size, size..columns].map(|columns| Argument::Columns(moments, columns))
}
