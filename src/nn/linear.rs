//! The fully connected layer.

use super::{Layer, ParameterSpec};
use crate::gpu::{Plan, Tensor};
use crate::ops::matmul;

/// y = x Wᵀ + b with W (outputs, inputs) and b (outputs), initialised as PyTorch's `Linear`:
/// both uniform within ±1/√inputs.
pub struct Linear {
    /// Values per image that go in.
    pub inputs: usize,
    /// Values per image that come out.
    pub outputs: usize,
}

impl Layer for Linear {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let bound = 1.0 / (self.inputs as f64).sqrt();
        vec![
            ParameterSpec::new("weight", &[self.outputs, self.inputs], bound),
            ParameterSpec::new("bias", &[self.outputs], bound),
        ]
    }

    fn forward(&self, plan: &mut Plan, label: &str, parameters: &[Tensor], x: &Tensor) -> Tensor {
        let y = Tensor::zeros(plan.gpu(), label, &[x.rows(), self.outputs]);
        matmul::forward(plan, label, x, &parameters[0], &parameters[1], &y);
        y
    }

    fn backward(
        &self,
        plan: &mut Plan,
        label: &str,
        parameters: &[Tensor],
        gradients: &[Tensor],
        x: &Tensor,
        dy: &Tensor,
        needs_dx: bool,
    ) -> Option<Tensor> {
        matmul::backward_weight(plan, label, dy, x, &gradients[0], &gradients[1]);
        needs_dx.then(|| {
            let dx = Tensor::zeros(plan.gpu(), label, x.shape());
            matmul::backward_input(plan, label, dy, &parameters[0], &dx);
            dx
        })
    }
}
