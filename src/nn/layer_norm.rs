//! Layer normalization (Ba et al. 2016).

use super::{Graph, Layer, LayerSpec, ParameterSpec, Shape, ValueId};
use crate::ops::activation::Activation;
use crate::ops::moments::Normalized;
use crate::ops::{Extent, layer_norm};

/// y = f((x − mean) / √(variance + 1e-5) · weight + bias) over all values of an image, as PyTorch's
/// `LayerNorm` of features or of (channels, height, width).
struct LayerNorm {
    input: Shape,
    activation: Option<Activation>,
}

/// Values in a row: a lane takes turns at them twice, and llvmpipe runs a loop 65,535 times at most.
const LARGEST: usize = 1 << 19;

pub(super) fn build(_: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    if input.columns() > LARGEST {
        return Err(format!("wants at most {LARGEST} features or channels"));
    }
    Ok(Box::new(LayerNorm { input, activation: None }))
}

const PARAMETERS: [&str; 2] = ["weight", "bias"];

impl LayerNorm {
    fn extent(&self) -> Extent {
        match self.input {
            Shape::Features(_) => Extent { height: 1, width: 1 },
            Shape::Map { extent, .. } => extent,
        }
    }
}

impl Layer for LayerNorm {
    fn output(&self) -> Shape {
        self.input
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let shape = match self.input {
            Shape::Features(count) => vec![count],
            Shape::Map { channels, extent } => vec![channels, extent.height, extent.width],
        };
        let [weight, bias] = PARAMETERS;
        vec![
            ParameterSpec::constant(weight, &shape, 1.0),
            ParameterSpec::constant(bias, &shape, 0.0),
        ]
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (id, x) = (inputs[0], graph.tensor(inputs[0]));
        let parameters = graph.parameters(label, PARAMETERS);
        let out = graph.output(id, self.input, self.activation);
        let (extent, activation) = (self.extent(), self.activation);
        let (recording, outputs) = (&mut *graph.recording, [&out.pre, &out.y]);
        let both = parameters.each_ref();
        let moments = layer_norm::forward(recording, label, extent, &x, both, activation, outputs);
        graph.push(label, inputs, &parameters.clone(), out, move |back, dy| {
            let forward = Normalized { x: &x, weight: &parameters[0], moments: &moments };
            let gradients = parameters.each_ref().map(|parameter| back.direct(parameter));
            let ((recording, label), gradients) = (back.recorder(), gradients.each_ref());
            layer_norm::backward_weight(recording, label, extent, dy, forward, gradients);
            if back.wants(id) {
                let (mut origin, dx) = (back.origin(id), back.allocate(id));
                origin.pre = back.apart(id, origin.pre, &x);
                let (recording, label) = back.recorder();
                layer_norm::backward_input(recording, label, extent, dy, forward, &origin, &dx);
                back.add(id, dx);
            }
        })
    }
}
