//! The modules of a model, by name, and the parameters of all of them.

use std::sync::Arc;

use super::{Chain, Layer, LayerSpec, Layout, ParameterSpec, Parameters, Shape, Weights};
use crate::error::Result;
use crate::gpu::Gpu;

/// The modules of a model while it is put together: chains of layers and single ones, each with a name
/// that its parameters' names begin with, as in PyTorch's `state_dict`.
///
/// ```
/// use vae_gpu::nn::{Modules, Shape};
///
/// # fn main() -> vae_gpu::Result<()> {
/// let mut modules = Modules::new(Shape::map(1, 28, 28));
/// let layers = r#"["flatten", { linear = 64 }, "relu", { linear = 2 }]"#;
/// let encoder = modules.chain("encoder", layers, Shape::map(1, 28, 28))?;
/// assert_eq!(encoder.output(), Shape::Features(2));
/// let layout = modules.place().parameters.layout().clone();
/// let names: Vec<_> = layout.specs().map(|spec| spec.name.clone()).collect();
/// assert_eq!(names, ["encoder.1.weight", "encoder.1.bias", "encoder.3.weight", "encoder.3.bias"]);
/// # Ok(())
/// # }
/// ```
pub struct Modules {
    image: Shape,
    parameters: Vec<ParameterSpec>,
    statistics: Vec<ParameterSpec>,
}

impl Modules {
    /// None yet; `image` is what a layer's size `"image"` stands for.
    pub fn new(image: Shape) -> Self {
        let (parameters, statistics) = (Vec::new(), Vec::new());
        Self { image, parameters, statistics }
    }

    /// Adds a chain called `name`, for inputs of `input`, of a list of layers in TOML, as
    /// `docs/configuration.md` has them: `[{ linear = 64 }, "relu"]`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Layer`] naming the layer, what it is given, and what it wants.
    pub fn chain(&mut self, name: &str, layers: &str, input: Shape) -> Result<Chain> {
        self.chain_of(name, &LayerSpec::list(name, layers)?, input)
    }

    /// Adds a chain as [`Modules::chain`], of layers that are known.
    ///
    /// # Errors
    ///
    /// As [`Modules::chain`].
    pub fn chain_of(&mut self, name: &str, layers: &[LayerSpec], input: Shape) -> Result<Chain> {
        let chain = Chain::new(name, layers, input, self.image)?;
        self.add(&chain);
        Ok(chain)
    }

    /// Adds a chain that was put together elsewhere, of layers of the caller's own.
    pub fn add(&mut self, chain: &Chain) {
        self.parameters.extend(chain.parameters());
        self.statistics.extend(chain.statistics());
    }

    /// Adds a single layer called `name`.
    pub fn layer(&mut self, name: &str, layer: &dyn Layer) {
        self.parameters.extend(layer.parameters().into_iter().map(|spec| spec.within(name)));
        self.statistics.extend(layer.statistics().into_iter().map(|spec| spec.within(name)));
    }

    /// Adds a parameter that is no layer's, under its full name.
    pub fn parameter(&mut self, spec: ParameterSpec) {
        self.parameters.push(spec);
    }

    /// The values of all modules, not on any adapter yet.
    pub fn place(&self) -> Weights {
        let zeros = |name, specs: &Vec<_>| {
            Parameters::zeros(name, &Arc::new(Layout::new(specs.iter().cloned())))
        };
        let parameters = zeros("parameters", &self.parameters);
        Weights { parameters, statistics: zeros("statistics", &self.statistics) }
    }

    /// The values of all modules on `gpu`, initialised as PyTorch does from `seed`.
    pub fn weights(&self, gpu: &Gpu, seed: u64) -> Weights {
        let weights = self.place();
        weights.initialise(gpu, seed);
        weights
    }
}
