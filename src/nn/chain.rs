//! Layers one after the other.

use super::{Backward, Layer, ParameterSpec, Parameters, Value};
use crate::gpu::{Plan, Tensor};

/// A sequence of layers with their names, as in `encoder.0`.
pub struct Chain(pub Vec<(String, Box<dyn Layer>)>);

impl Chain {
    /// Every layer's parameters under their full names.
    pub fn parameters(&self) -> impl Iterator<Item = ParameterSpec> {
        self.0.iter().flat_map(|(label, layer)| ParameterSpec::all(label, layer.as_ref()))
    }

    /// Records every layer; returns x, then each layer's output.
    pub fn forward(&self, plan: &mut Plan, parameters: &Parameters, x: Value) -> Vec<Value> {
        let mut values = vec![x];
        for (label, layer) in &self.0 {
            let y = layer.forward(plan, label, &parameters.of(label), &values[values.len() - 1]);
            values.push(y);
        }
        values
    }

    /// Records every layer's backward pass from the last one's dy, given what
    /// [`Chain::forward`] returned; returns the gradient by what the first one's x came from.
    pub fn backward(&self, pass: &mut Backward, values: &[Value], dy: &Tensor) -> Option<Tensor> {
        let mut dy = Some(dy.clone());
        for ((label, layer), x) in self.0.iter().zip(values).rev() {
            dy = layer.backward(pass, label, x, &dy?);
        }
        dy
    }
}
