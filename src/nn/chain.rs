//! Layers one after the other.

use super::{Layer, ParameterSpec, Parameters};
use crate::gpu::{Plan, Tensor};

/// A sequence of layers named as PyTorch's `Sequential` names them: `encoder.0`, `encoder.1`, ….
pub struct Chain {
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Chain {
    /// `layers` in order, named after `name` and their positions.
    pub fn new(name: &str, layers: Vec<Box<dyn Layer>>) -> Self {
        let named = |(i, layer)| (format!("{name}.{i}"), layer);
        Self { layers: layers.into_iter().enumerate().map(named).collect() }
    }

    /// A chain of one layer that bears the chain's name itself.
    pub fn single(name: &str, layer: impl Layer + 'static) -> Self {
        Self { layers: vec![(name.to_string(), Box::new(layer))] }
    }

    /// Every layer's parameters under their full names.
    pub fn parameters(&self) -> impl Iterator<Item = ParameterSpec> {
        self.layers.iter().flat_map(|(label, layer)| {
            layer.parameters().into_iter().map(move |spec| spec.within(label))
        })
    }

    /// Records every layer; returns x, then each layer's output.
    pub fn forward(&self, plan: &mut Plan, parameters: &Parameters, x: &Tensor) -> Vec<Tensor> {
        let mut values = vec![x.clone()];
        for (label, layer) in &self.layers {
            let y = layer.forward(plan, label, &parameters.of(label), &values[values.len() - 1]);
            values.push(y);
        }
        values
    }

    /// Records every layer's backward pass from the last one's dy, given what
    /// [`Chain::forward`] returned; returns the first one's dx where `needs_dx`.
    pub fn backward(
        &self,
        plan: &mut Plan,
        parameters: &Parameters,
        gradients: &Parameters,
        values: &[Tensor],
        dy: &Tensor,
        needs_dx: bool,
    ) -> Option<Tensor> {
        let mut dy = Some(dy.clone());
        for (i, (label, layer)) in self.layers.iter().enumerate().rev() {
            let (own, into) = (parameters.of(label), gradients.of(label));
            let above = dy.expect("only the first layer may leave out dx");
            dy = layer.backward(plan, label, &own, &into, &values[i], &above, needs_dx || i > 0);
        }
        dy.filter(|_| needs_dx)
    }
}
