//! Layers one after the other.

use super::activation::Activated;
use super::add::Add;
use super::{Graph, Layer, LayerSpec, ParameterSpec, Setting, Shape, ValueId, Weights};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::activation::Activation;
use crate::ops::matmul::Problem;

/// A sequence of layers. Residual blocks (He et al. 2015) lie in it as what they consist of: their
/// layers, and a sum of the last one's output and the block's input.
pub struct Chain {
    links: Vec<Link>,
    input: Shape,
    output: Shape,
}

/// `message` about layer `i` of `specs`, and what it is given if that is known.
fn at(name: &str, specs: &[LayerSpec], i: usize, input: Option<Shape>, message: &str) -> Error {
    let (spec, count) = (&specs[i], specs.len());
    let about = format!("({spec}), layer {} of {count}", i + 1);
    Error::Layer { layer: format!("{name}.{i}"), about, input, message: message.into() }
}

/// A layer of a chain.
pub struct Link {
    /// The layer's name, as in `encoder.0`.
    pub label: String,
    /// The layer in words, and the activation that it computes as well.
    pub words: String,
    /// The layer itself.
    pub layer: Box<dyn Layer>,
    /// The values that it takes: 0 is the chain's input, and i + 1 the output of link i.
    inputs: Vec<usize>,
}

impl Chain {
    /// The layers that `specs` name for inputs of `input`, in a model of images of `image`. They are
    /// labelled by `name` and their place, as in PyTorch's `Sequential`, activations included.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] naming the layer, what it is given, and what it wants.
    pub fn new(name: &str, specs: &[LayerSpec], input: Shape, image: Shape) -> Result<Self> {
        let mut chain = Self { links: Vec::new(), input, output: input };
        chain.extend(name, specs, image)?;
        Ok(chain)
    }

    /// A chain without layers yet, for inputs of `input`: see [`Chain::push`].
    pub fn empty(input: Shape) -> Self {
        Self { links: Vec::new(), input, output: input }
    }

    /// Appends a layer of the caller's own, called `label`, which takes the output of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] when that is of another shape than the layer takes.
    pub fn push(&mut self, label: &str, layer: impl Layer + 'static) -> Result<()> {
        if let Some(input) = layer.input().filter(|input| *input != self.output) {
            let (layer, about) = (label.to_string(), String::new());
            let message = format!("takes {input}");
            return Err(Error::Layer { layer, about, input: Some(self.output), message });
        }
        self.link(label.into(), label.into(), Box::new(layer), vec![self.links.len()]);
        Ok(())
    }

    /// Fails on layers that cannot be for any input.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] naming the layer.
    pub fn check(name: &str, specs: &[LayerSpec]) -> Result<()> {
        for (i, spec) in specs.iter().enumerate() {
            super::check(spec).map_err(|message| at(name, specs, i, None, &message))?;
            if let Some(Setting::Layers(inner)) = &spec.size {
                Self::check(&format!("{name}.{i}"), inner)?;
            }
        }
        Ok(())
    }

    /// Appends the layers that `specs` name, as [`Chain::new`] begins with them.
    ///
    /// # Errors
    ///
    /// As [`Chain::new`].
    pub fn extend(&mut self, name: &str, specs: &[LayerSpec], image: Shape) -> Result<()> {
        let first = self.links.len();
        for (i, spec) in specs.iter().enumerate() {
            let (input, label) = (self.output, format!("{name}.{i}"));
            let pushed = self.extend_by(first, label, spec, image);
            pushed.map_err(|message| at(name, specs, i, Some(input), &message))?;
        }
        Ok(())
    }

    /// Appends one layer of a list of which link `first` is the first.
    fn extend_by(
        &mut self,
        first: usize,
        label: String,
        spec: &LayerSpec,
        image: Shape,
    ) -> std::result::Result<(), String> {
        super::check(spec)?;
        let (words, from) = (spec.to_string(), vec![self.links.len()]);
        if let Ok(activation) = spec.name.parse::<Activation>() {
            // A layer before the list may give a block's input, which the block's sum takes as it is.
            if let Some(last) = self.links[first..].last_mut()
                && last.layer.activate(activation)
            {
                last.words += &format!(", {}", activation.name());
                return Ok(());
            }
            let layer = Activated { activation, shape: self.output };
            self.link(label, words, Box::new(layer), from);
            return Ok(());
        }
        let kind = super::kind(&spec.name).expect("it was checked");
        let Some(make) = kind.build else { return self.residual(label, spec, image) };
        let layer = make(spec, self.output, image)?;
        let output = layer.output();
        if !output.is_possible() {
            return Err(format!("makes {output} of that, which is nothing, or too much"));
        }
        self.link(label, words, layer, from);
        Ok(())
    }

    /// Appends y = x + g(x), g the layers of `spec`, which keep the shape.
    fn residual(
        &mut self,
        label: String,
        spec: &LayerSpec,
        image: Shape,
    ) -> std::result::Result<(), String> {
        let layers = match &spec.size {
            Some(Setting::Layers(layers)) => &layers[..],
            // An empty list parses as a list of integers.
            Some(Setting::Integers(sizes)) if sizes.is_empty() => &[],
            _ => {
                let wants = "wants a list of layers, as in";
                return Err(format!("{wants} {{ residual = [{{ linear = 64 }}, \"relu\"] }}"));
            }
        };
        if layers.is_empty() {
            return Err("wants at least one layer in it".into());
        }
        let (shape, before) = (self.output, self.links.len());
        self.extend(&label, layers, image).map_err(|e| e.to_string())?;
        if self.output != shape {
            return Err(format!(
                "its layers make {} of that, and must keep the shape",
                self.output
            ));
        }
        let sum = Add { shape, activation: None };
        self.link(label, spec.to_string(), Box::new(sum), vec![before, self.links.len()]);
        Ok(())
    }

    fn link(&mut self, label: String, words: String, layer: Box<dyn Layer>, inputs: Vec<usize>) {
        self.output = layer.output();
        self.links.push(Link { label, words, layer, inputs });
    }

    /// Shape of its input for each image.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// Shape of its output for each image.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Its layers.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Every layer's parameters under their full names.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        self.full(|layer| layer.parameters())
    }

    /// Every layer's statistics (PyTorch's buffers) under their full names.
    pub fn statistics(&self) -> Vec<ParameterSpec> {
        self.full(|layer| layer.statistics())
    }

    fn full(&self, of: impl Fn(&dyn Layer) -> Vec<ParameterSpec>) -> Vec<ParameterSpec> {
        let full = |link: &Link| {
            let specs = of(link.layer.as_ref()).into_iter();
            specs.map(|spec| spec.within(&link.label)).collect::<Vec<_>>()
        };
        self.links.iter().flat_map(full).collect()
    }

    /// Records every layer, and returns the last one's output. What lies between them is released
    /// once it was used.
    pub fn apply(&self, graph: &mut Graph, x: ValueId) -> ValueId {
        assert_eq!(graph.shape(x), self.input, "the input of a chain that takes {}", self.input);
        let mut values = vec![x];
        for link in &self.links {
            let inputs: Vec<_> = link.inputs.iter().map(|input| values[*input]).collect();
            values.push(link.layer.apply(graph, &link.label, &inputs));
            // A layer that has nothing to do hands its input on, which then has several places.
            let later = &self.links[values.len() - 1..];
            let is_needed = |id: ValueId| {
                let mut inputs = later.iter().flat_map(|link| &link.inputs);
                let is_ahead = inputs.any(|input| values.get(*input) == Some(&id));
                is_ahead || id == x || Some(&id) == values.last()
            };
            inputs.into_iter().filter(|id| !is_needed(*id)).for_each(|id| graph.release(id));
        }
        values[values.len() - 1]
    }

    /// The matrix products of its layers in a training step, to be tuned.
    pub fn problems(&self) -> Vec<Problem> {
        self.links.iter().flat_map(|link| link.layer.problems()).collect()
    }

    /// The output of the chain for `values`, rows of its input, in evaluation. Both are in PyTorch's order,
    /// (rows, channels, height, width) for maps.
    ///
    /// # Errors
    ///
    /// As [`super::run`].
    pub fn run(&self, gpu: &Gpu, weights: &Weights, values: &[f32]) -> Result<Vec<f32>> {
        super::run(gpu, weights, &[(self.input, values)], |graph, x| self.apply(graph, x[0]))
    }
}
