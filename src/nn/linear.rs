//! The fully connected layer.

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value};
use crate::gpu::Tensor;
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
    /// What is applied to the result.
    pub activation: Option<Activation>,
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, outputs) = (super::features(input)?, spec.size(Some(build.image.values()))?);
    super::check_weight(&[inputs, outputs])?;
    Ok(Box::new(Linear { inputs, outputs, activation: None }))
}

impl Layer for Linear {
    fn output(&self) -> Shape {
        Shape::Features(self.outputs)
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

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn flop(&self) -> u64 {
        2 * (self.inputs * self.outputs) as u64
    }

    fn bytes(&self) -> u64 {
        2 * self.output().bytes() + Shape::Features(self.inputs).bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let [pre, y] = [(); 2].map(|()| self.output().tensor(pass.plan, pass.batch));
        let [weight, bias] = pass.parameters.expect(label, ["weight", "bias"]);
        matmul::forward(pass.plan, label, &x.tensor, &weight, &bias, self.activation, &pre, &y);
        Value::activated(self.activation, pre, y)
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, _]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let [weight, bias] = pass.parameters.expect(label, ["weight", "bias"]);
        pass.weights.push(WeightGradient {
            dy: dy.clone(),
            x: x.tensor.clone(),
            weight: weight.clone(),
            bias,
        });
        let origin = x.origin.as_ref()?;
        let dx = Shape::Features(self.inputs).tensor(pass.plan, pass.batch);
        matmul::backward_input(pass.plan, label, dy, &weight, origin, &dx);
        Some(dx)
    }
}
