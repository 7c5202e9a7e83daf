//! Layers one after the other.

use super::{
    Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Setting, Shape, Value, activation,
};
use crate::error::{Error, Result};
use crate::gpu::Tensor;
use crate::ops::activation::Activation;

/// A sequence of layers.
pub struct Chain {
    links: Vec<Link>,
    output: Shape,
}

/// `message` about layer `i` of `specs`, and what it is given if that is known.
fn at(name: &str, specs: &[LayerSpec], i: usize, input: Option<Shape>, message: &str) -> Error {
    let (spec, count) = (&specs[i], specs.len());
    let given = match input {
        Some(Shape::Features(count)) => format!(", given {count} features"),
        Some(map) => format!(", given maps of {map}"),
        None => String::new(),
    };
    Error::Usage(format!("{name}.{i} ({spec}), layer {} of {count}{given}: {message}", i + 1))
}

/// A layer of a chain.
pub struct Link {
    /// As in `encoder.0`.
    pub label: String,
    /// The layer in words, and the activation that it computes as well.
    pub words: String,
    /// What computes it.
    pub layer: Box<dyn Layer>,
}

impl Chain {
    /// The layers that `specs` name for inputs of `input`. They are labelled by `name` and their
    /// place, as in PyTorch's `Sequential`, activations included.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming the layer, what it is given, and what it wants.
    pub fn new(name: &str, specs: &[LayerSpec], input: Shape, build: &Build) -> Result<Self> {
        let mut chain = Self { links: Vec::new(), output: input };
        for (i, spec) in specs.iter().enumerate() {
            let input = chain.output;
            let pushed = chain.push(format!("{name}.{i}"), spec, build);
            pushed.map_err(|message| at(name, specs, i, Some(input), &message))?;
        }
        Ok(chain)
    }

    /// Fails on layers that cannot be for any input.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming the layer.
    pub fn check(name: &str, specs: &[LayerSpec]) -> Result<()> {
        for (i, spec) in specs.iter().enumerate() {
            super::check(spec).map_err(|message| at(name, specs, i, None, &message))?;
            if let Some(Setting::Layers(inner)) = &spec.size {
                Self::check(&format!("{name}.{i}"), inner)?;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        label: String,
        spec: &LayerSpec,
        build: &Build,
    ) -> std::result::Result<(), String> {
        super::check(spec)?;
        if let Ok(activation) = spec.name.parse::<Activation>() {
            if let Some(last) = self.links.last_mut()
                && last.layer.activate(activation)
            {
                last.words += &format!(", {}", activation.name());
                return Ok(());
            }
            let shape = self.output;
            let layer = Box::new(activation::Activated { name: activation, shape });
            self.links.push(Link { label, words: spec.to_string(), layer });
            return Ok(());
        }
        let kind = super::kind(&spec.name).expect("it was checked");
        let layer = (kind.build)(spec, self.output, &Build { label: &label, ..*build })?;
        let output = layer.output();
        if !output.is_possible() {
            return Err(format!("makes {output} of that, which is nothing, or too much"));
        }
        self.output = output;
        self.links.push(Link { label, words: spec.to_string(), layer });
        Ok(())
    }

    /// What comes out of it for each image.
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

    /// What every layer keeps beside its parameters, likewise.
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

    /// Records every layer; returns x, then each layer's output.
    pub fn forward(&self, pass: &mut Forward, x: Value) -> Vec<Value> {
        let mut values = vec![x];
        for Link { label, layer, .. } in &self.links {
            let y = layer.forward(pass, label, &values[values.len() - 1]);
            values.push(y);
        }
        values
    }

    /// Records every layer's backward pass from the last one's dy, given what
    /// [`Chain::forward`] returned; returns the gradient by what the first one's x came from.
    pub fn backward(&self, pass: &mut Backward, values: &[Value], dy: &Tensor) -> Option<Tensor> {
        let mut dy = Some(dy.clone());
        for (Link { label, layer, .. }, values) in self.links.iter().zip(values.windows(2)).rev() {
            dy = layer.backward(pass, label, [&values[0], &values[1]], &dy?);
        }
        dy
    }
}
