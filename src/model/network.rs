//! The layers of a model, before anything is on an adapter.

use std::cell::Cell;

use super::ModelConfig;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::nn::{Build, Chain, Layer, Layout, Linear, Link, ParameterSpec, Shape};
use crate::ops::matmul::Problem;

/// The encoder, the linear layer that gives the latent variables, and the decoder.
///
/// Parameters bear the names of PyTorch's modules: `encoder.0.weight` of a `Sequential`, …,
/// `latent.weight` (2 · latent, inputs; first the mean's rows, then the log-variance's; of a plain
/// autoencoder, (latent, inputs)), `decoder.0.weight`, ….
pub struct Network {
    /// Shape of what the encoder is given.
    pub input: Shape,
    /// Layers before the latent variables.
    pub encoder: Chain,
    /// The layer that gives them.
    pub head: Linear,
    /// Layers after them.
    pub decoder: Chain,
    variational: bool,
    likelihood_scale: bool,
}

/// Terms of a dot product that every adapter adds up: llvmpipe runs an invocation's loops for 65,535
/// rounds in all (`LP_MAX_TGSI_LOOP_ITERATIONS` of Mesa), of four terms each, and then leaves them.
pub(super) const LONGEST_SUM: usize = 4 * 65_000;

/// Name of the layer between the encoder and the decoder.
pub const HEAD: &str = "latent";
/// What the likelihood's own parameter belongs to.
pub const LIKELIHOOD: &str = "likelihood";
/// That parameter: the logarithm of the likelihood's scale.
pub const LOG_SCALE: &str = "log_scale";

/// A layer as it stands in a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// `encoder.0`
    pub label: String,
    /// The layer and its options.
    pub words: String,
    /// Shape of its output.
    pub output: Shape,
    /// Trained values.
    pub parameters: usize,
    /// Multiplications and additions of matrix products in a forward pass for an image.
    pub flop: u64,
}

impl Row {
    fn new(label: &str, words: &str, layer: &dyn Layer) -> Self {
        Self {
            label: label.into(),
            words: words.into(),
            output: layer.output(),
            parameters: layer.parameters().iter().map(ParameterSpec::len).sum(),
            flop: layer.flop(),
        }
    }

    fn chain(chain: &Chain) -> Vec<Self> {
        let rows = |link: &Link| {
            let mut block = Self::new(&link.label, &link.words, link.layer.as_ref());
            let inner = link.layer.inner().map(Self::chain).unwrap_or_default();
            block.parameters -= inner.iter().map(|row| row.parameters).sum::<usize>();
            block.flop -= inner.iter().map(|row| row.flop).sum::<u64>();
            [vec![block], inner].concat()
        };
        chain.links().iter().flat_map(rows).collect()
    }
}

impl Network {
    /// The layers that `config` names, for images of `image`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming the layer, what it is given, and what it wants.
    pub fn new(config: &ModelConfig, image: ImageShape) -> Result<Self> {
        let shape = Shape::map(image.channels, image.height, image.width);
        let draws = Cell::new(0);
        let build = Build { image: shape, label: "", draws: &draws };
        // Layers of features take the pixels as they come.
        let flat = config.encoder.first().is_none_or(|l| ["linear", "flatten"].contains(&&*l.name));
        let input = if flat { Shape::Features(shape.values()) } else { shape };
        let encoder = Chain::new("encoder", &config.encoder, input, &build)?;
        let Shape::Features(inputs) = encoder.output() else {
            return Err(Error::Usage(format!(
                "encoder: ends in maps of {}, and the latent variables are computed from features; \
                 put \"flatten\" at its end",
                encoder.output()
            )));
        };
        let decoder =
            Chain::new("decoder", &config.decoder, Shape::Features(config.latent), &build)?;
        let output = decoder.output();
        if ![shape, Shape::Features(shape.values())].contains(&output) {
            return Err(Error::Usage(format!(
                "decoder: ends in {output}, and the images are {shape} (channels x height x width); \
                 end it with a layer that gives that, as {{ linear = \"image\" }} does"
            )));
        }
        let variational = config.variational;
        let outputs = if variational { 2 * config.latent } else { config.latent };
        let head = Linear { inputs, outputs, activation: None };
        let likelihood_scale = config.likelihood.is_learnt();
        Ok(Self { input, encoder, head, decoder, variational, likelihood_scale })
    }

    /// Names and shapes of the parameters.
    pub fn parameters(&self) -> Layout {
        let head = self.head.parameters().into_iter().map(|spec| spec.within(HEAD));
        let scale = ParameterSpec::constant(LOG_SCALE, &[1], 0.0).within(LIKELIHOOD);
        let scale = self.likelihood_scale.then_some(scale);
        let chains = self.encoder.parameters().into_iter().chain(head);
        Layout::new(chains.chain(self.decoder.parameters()).chain(scale))
    }

    /// Names and shapes of what layers keep beside them.
    pub fn statistics(&self) -> Layout {
        Layout::new(self.encoder.statistics().into_iter().chain(self.decoder.statistics()))
    }

    /// Its layers in order, each with its name.
    pub fn layers(&self) -> impl Iterator<Item = (&str, &dyn Layer)> {
        let links = |chain| {
            let links: &Chain = chain;
            links.links().iter().map(|link| (link.label.as_str(), link.layer.as_ref()))
        };
        let head: (&str, &dyn Layer) = (HEAD, &self.head);
        links(&self.encoder).chain([head]).chain(links(&self.decoder))
    }

    /// Whether matrix products give every gradient.
    pub fn is_fusible(&self) -> bool {
        !self.likelihood_scale && self.layers().all(|(_, layer)| layer.is_fusible())
    }

    /// A layer whose products have sums longer than [`LONGEST_SUM`].
    pub(super) fn too_deep(&self) -> Option<&str> {
        let deep = |problem: &Problem| problem.longest_sum() > LONGEST_SUM;
        let mut layers = self.layers();
        layers.find(|(_, layer)| layer.problems().iter().any(deep)).map(|(label, _)| label)
    }

    /// The matrix products of a training step, each once.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in self.layers().flat_map(|(_, layer)| layer.problems()) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }

    /// A row for each layer, the latent variables in between. Those of a block follow it, and have
    /// what is theirs of its parameters and operations.
    pub fn rows(&self) -> Vec<Row> {
        let halves = if self.variational { " (means, log-variances)" } else { "" };
        let scale = Row {
            label: LIKELIHOOD.into(),
            words: "learnt scale".into(),
            output: self.decoder.output(),
            parameters: 1,
            flop: 0,
        };
        let scale = if self.likelihood_scale { vec![scale] } else { Vec::new() };
        let head = Row::new(HEAD, &format!("linear {}{halves}", self.head.outputs), &self.head);
        [Row::chain(&self.encoder), vec![head], Row::chain(&self.decoder), scale].concat()
    }

    /// Bytes of the largest value between two layers, for an image.
    pub fn largest_bytes(&self) -> u64 {
        let values = self.layers().map(|(_, layer)| layer.output().bytes());
        values.chain([self.input.bytes()]).max().expect("there is the head")
    }

    /// Bytes that a training step computes for an image: pixels, each layer's values and their
    /// gradients, the loss.
    pub fn bytes(&self) -> u64 {
        let layers: u64 = self.layers().map(|(_, layer)| layer.bytes()).sum();
        // x, for which no layer computes a gradient though each counts one, and the loss's.
        let output = self.decoder.output();
        let target = if self.input == output { 0 } else { output.bytes() };
        layers + target + output.bytes()
    }
}
