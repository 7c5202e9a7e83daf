//! The layers of a model and its parameters, before anything is on an adapter.

use super::condition::CONDITION;
use super::levels::Level;
use crate::config::{Condition, ModelConfig};
use crate::data::ImageShape;
use crate::error::{Error, Load, Result};
use crate::gpu::{AdapterReport, Tensor};
use crate::nn::{Chain, Layer, Linear, Modules, ParameterSpec, Shape, Weights};
use crate::ops::matmul::Problem;

/// The encoder, the linear layer that gives the latent variables, and the decoder.
///
/// Parameters bear the names of PyTorch's modules: `encoder.0.weight` of a `Sequential`, …,
/// `latent.weight` (2 · latent, inputs; first the mean's rows, then the log-variance's; of a plain
/// autoencoder, (latent, inputs)), `decoder.0.weight`, ….
pub struct Network {
    config: ModelConfig,
    shape: ImageShape,
    /// Shape of what the encoder is given.
    pub input: Shape,
    /// Layers before the latent variables.
    pub encoder: Chain,
    /// The layer that gives them.
    pub head: Linear,
    /// Layers after them.
    pub decoder: Chain,
    /// Latent variables above those that the image is decoded from.
    pub levels: Vec<Level>,
    /// The layer that a class becomes values by, if it is not given one-hot.
    pub embedding: Option<Linear>,
    pub(super) weights: Weights,
}

/// Terms of a dot product that every adapter adds up: llvmpipe runs an invocation's loops for 65,535
/// rounds in all (`LP_MAX_TGSI_LOOP_ITERATIONS` of Mesa), of four terms each, and then leaves them.
pub(super) const LONGEST_SUM: usize = 4 * 65_000;

/// Bytes of a tensor's values below which kernels can count them.
const MOST_BYTES: u64 = 4 << 31;

/// Name of the layer between the encoder and the decoder.
pub const HEAD: &str = "latent";
/// Name of the module that the likelihood's own parameter belongs to.
pub const LIKELIHOOD: &str = "likelihood";
/// That parameter: the logarithm of the likelihood's scale.
pub const LOG_SCALE: &str = "log_scale";

impl Network {
    /// The layers that `config` names, for images of `image`.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] naming the layer, what it is given, and what it wants; [`Error::Input`] for a
    /// shape that no image has.
    pub fn new(config: &ModelConfig, image: ImageShape) -> Result<Self> {
        image.check()?;
        let shape = Shape::map(image.channels, image.height, image.width);
        let mut modules = Modules::new(shape);
        // Layers of features take the pixels as they come.
        let flat = config.encoder.first().is_none_or(|l| ["linear", "flatten"].contains(&&*l.name));
        let input = if flat { Shape::Features(shape.values()) } else { shape };
        let condition = config.condition.as_ref();
        if let Some(Condition { column, classes, .. }) = condition
            && classes.is_empty()
        {
            let message = "has no classes yet; take those of the data by ModelConfig::with_classes";
            return Err(Error::config("condition", column, message));
        }
        let embedding = |Condition { embedding, classes, .. }: &Condition| {
            let inputs = classes.len();
            embedding.map(|outputs| Linear { inputs, outputs, activation: None })
        };
        let embedding = condition.and_then(embedding);
        let one_hot = condition.map_or(0, |condition| condition.classes.len());
        let beside = embedding.map_or(one_hot, |layer| layer.outputs);
        let encoder = modules.chain_of("encoder", &config.encoder, input.wider(beside))?;
        let Shape::Features(inputs) = encoder.output() else {
            let message = format!(
                "ends in maps of {}, and the latent variables are computed from features; \
                 put \"flatten\" at its end",
                encoder.output()
            );
            return Err(Error::layers("encoder", message));
        };
        let outputs = if config.variational { 2 * config.latent } else { config.latent };
        let head = Linear { inputs, outputs, activation: None };
        modules.layer(HEAD, &head);
        let z = Shape::Features(config.latent + beside);
        let decoder = modules.chain_of("decoder", &config.decoder, z)?;
        if let Some(layer) = &embedding {
            modules.layer(CONDITION, layer);
        }
        let mut levels = Vec::new();
        let mut below = config.latent;
        for (i, level) in config.levels.iter().enumerate() {
            levels.push(Level::new(i, level, below, &mut modules)?);
            below = level.latent;
        }
        if config.likelihood.is_learnt() {
            modules.parameter(ParameterSpec::constant(LOG_SCALE, &[1], 0.0).within(LIKELIHOOD));
        }
        let output = decoder.output();
        if ![shape, Shape::Features(shape.values())].contains(&output) {
            let message = format!(
                "ends in {output}, and the images are {shape} (channels x height x width); \
                 end it with a layer that gives that, as {{ linear = \"image\" }} does"
            );
            return Err(Error::layers("decoder", message));
        }
        let (config, shape, weights) = (config.clone(), image, modules.place());
        Ok(Self { config, shape, input, encoder, head, decoder, levels, embedding, weights })
    }

    /// The configuration that it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Shape of the images that it takes and makes.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The logarithm of the likelihood's scale (1), where that is learnt.
    pub(super) fn log_scale(&self) -> Option<Tensor> {
        let learnt = self.config.likelihood.is_learnt();
        learnt.then(|| self.weights.parameters.expect(LIKELIHOOD, [LOG_SCALE])).map(|[scale]| scale)
    }

    /// Its layers in order, each with its name.
    pub fn layers(&self) -> impl Iterator<Item = (String, &dyn Layer)> {
        let links = |chain| {
            let links: &Chain = chain;
            links.links().iter().map(|link| (link.label.clone(), link.layer.as_ref()))
        };
        let head: (String, &dyn Layer) = (HEAD.into(), &self.head);
        let embedding = self.embedding.iter().map(|layer| (CONDITION.into(), layer as &dyn Layer));
        let levels = self.levels.iter().flat_map(Level::layers);
        let decoder = links(&self.decoder);
        links(&self.encoder).chain([head]).chain(decoder).chain(embedding).chain(levels)
    }

    /// Fails unless all parameters, and what layers keep beside them, fit `adapter`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] naming the limit.
    pub fn check_parameters(&self, adapter: &AdapterReport) -> Result<()> {
        self.weights.both().into_iter().try_for_each(|values| {
            let bytes = values.layout().bytes();
            adapter.check_fits(Load::Parameters, bytes, bytes)
        })
    }

    /// Fails unless kernels can count the values of every layer for `rows` images at a time: recording
    /// them would panic.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] naming `load` and the limit.
    pub(crate) fn check_rows(
        &self,
        rows: usize,
        adapter: &AdapterReport,
        load: Load,
    ) -> Result<()> {
        let shapes = self.layers().map(|(_, layer)| layer.output()).chain([self.input]);
        let largest = shapes.map(|shape| shape.bytes()).max().unwrap_or(0);
        let bytes = largest.saturating_mul(rows as u64);
        if bytes < MOST_BYTES {
            return Ok(());
        }
        let limit = adapter.max_binding_bytes.min(MOST_BYTES - 1);
        Err(Error::TooLarge { load, bytes, limit, place: "a tensor", adapter: adapter.label() })
    }

    /// A layer whose products have sums longer than [`LONGEST_SUM`].
    pub(super) fn too_deep(&self) -> Option<String> {
        let deep = |problem: &Problem| problem.longest_sum() > LONGEST_SUM;
        let mut layers = self.layers();
        layers.find(|(_, layer)| layer.problems().iter().any(deep)).map(|(label, _)| label)
    }
}
