//! The fully connected layer.

use super::{Graph, Layer, LayerSpec, ParameterSpec, Shape, ValueId};
use crate::ops::activation::Activation;
use crate::ops::matmul::{self, Problem, WeightGradient};

/// y = f(x Wᵀ + b) with W (outputs, inputs), b (outputs) and an activation f, initialised as
/// PyTorch's `Linear`: both uniform within ±1/√inputs.
#[derive(Clone, Copy)]
pub struct Linear {
    /// Values per image that go in.
    pub inputs: usize,
    /// Values per image that come out.
    pub outputs: usize,
    /// The activation f, if there is one.
    pub activation: Option<Activation>,
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    image: Shape,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, outputs) = (super::features(input)?, spec.size(Some(image.values()))?);
    super::check_weight(&[inputs, outputs])?;
    Ok(Box::new(Linear { inputs, outputs, activation: None }))
}

impl Layer for Linear {
    fn output(&self) -> Shape {
        Shape::Features(self.outputs)
    }

    fn input(&self) -> Option<Shape> {
        Some(Shape::Features(self.inputs))
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let bound = 1.0 / (self.inputs as f64).sqrt();
        vec![
            ParameterSpec::uniform("weight", &[self.outputs, self.inputs], bound),
            ParameterSpec::uniform("bias", &[self.outputs], bound),
        ]
    }

    fn problems(&self) -> Vec<Problem> {
        vec![Problem::dense(self.inputs, self.outputs)]
    }

    fn activate(&mut self, activation: Activation) -> bool {
        super::take(&mut self.activation, activation)
    }

    fn flop(&self) -> u64 {
        2 * (self.inputs * self.outputs) as u64
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (id, x) = (inputs[0], graph.tensor(inputs[0]));
        let [weight, bias] = graph.parameters(label, ["weight", "bias"]);
        let out = graph.output(id, self.output(), self.activation);
        let recording = &mut *graph.recording;
        matmul::forward(recording, label, &x, &weight, &bias, self.activation, &out.pre, &out.y);
        graph.push(label, inputs, &[weight.clone(), bias.clone()], out, move |back, dy| {
            let (dy, x, weight, bias) = (dy.clone(), x.clone(), weight.clone(), bias.clone());
            if back.wants(id) {
                let (origin, dx) = (back.origin(id), back.allocate(id));
                let (recording, label) = back.recorder();
                matmul::backward_input(recording, label, &dy, &weight, &origin, &dx);
                back.add(id, dx);
            }
            back.product(WeightGradient { dy, x, weight, bias });
        })
    }
}
