//! Batch normalization (Ioffe and Szegedy 2015).

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::activation::{Activation, Origin};
use crate::ops::batch_norm;
use crate::ops::moments::Normalized;

/// y = f((x − mean) / √(variance + 1e-5) · weight + bias) by feature or channel, as PyTorch's
/// `BatchNorm1d` and `BatchNorm2d`: over the batch in training, by the running statistics in
/// evaluation.
struct BatchNorm {
    input: Shape,
    activation: Option<Activation>,
}

pub(super) fn build(_: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    Ok(Box::new(BatchNorm { input, activation: None }))
}

const PARAMETERS: [&str; 2] = ["weight", "bias"];
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

impl Layer for BatchNorm {
    fn output(&self) -> Shape {
        self.input
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |name, value| ParameterSpec::constant(name, &[self.input.columns()], value);
        vec![spec(PARAMETERS[0], 1.0), spec(PARAMETERS[1], 0.0)]
    }

    fn statistics(&self) -> Vec<ParameterSpec> {
        let spec = |name, value| ParameterSpec::constant(name, &[self.input.columns()], value);
        vec![spec(STATISTICS[0], 0.0), spec(STATISTICS[1], 1.0)]
    }

    fn is_fusible(&self) -> bool {
        false
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn bytes(&self) -> u64 {
        3 * self.input.bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let [pre, y] = [(); 2].map(|()| self.input.tensor(pass.plan, pass.batch));
        let parameters = pass.parameters.expect(label, PARAMETERS);
        let statistics = pass.statistics.expect(label, STATISTICS);
        let [parameters, statistics] = [&parameters, &statistics].map(|two| two.each_ref());
        let (activation, x) = (self.activation, &x.tensor);
        let mut saved = Vec::new();
        if pass.training.is_some() {
            saved.push(batch_norm::forward(
                pass.plan,
                label,
                x,
                parameters,
                statistics,
                activation,
                [&pre, &y],
            ));
        } else {
            batch_norm::evaluate(
                pass.plan,
                label,
                x,
                parameters,
                statistics,
                activation,
                [&pre, &y],
            );
        }
        Value { saved, ..Value::activated(activation, pre, y) }
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, y]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let [weight, _] = pass.parameters.expect(label, PARAMETERS);
        let gradients = pass.gradients.expect("a place for gradients").expect(label, PARAMETERS);
        let dx = self.input.tensor(pass.plan, pass.batch);
        // The sums behind the gradient by x are the gradients by the parameters: for an input, too.
        let origin = x.origin.clone().unwrap_or(Origin { activation: None, pre: x.tensor.clone() });
        let forward = Normalized { x: &x.tensor, weight: &weight, moments: &y.saved[0] };
        let gradients = gradients.each_ref();
        batch_norm::backward(pass.plan, label, dy, forward, &origin, gradients, &dx);
        x.origin.is_some().then_some(dx)
    }
}
