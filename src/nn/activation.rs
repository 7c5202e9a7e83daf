//! Elementwise activations as layers.

use super::{Layer, ParameterSpec};
use crate::gpu::{Plan, Tensor};
use crate::ops::activation;

/// y = f(x) with one of [`activation::NAMES`].
pub struct Activation {
    /// Which one.
    pub name: &'static str,
}

impl Layer for Activation {
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    fn forward(&self, plan: &mut Plan, label: &str, _: &[Tensor], x: &Tensor) -> Tensor {
        let y = Tensor::zeros(plan.gpu(), label, x.shape());
        activation::forward(plan, label, self.name, x, &y);
        y
    }

    fn backward(
        &self,
        plan: &mut Plan,
        label: &str,
        _: &[Tensor],
        _: &[Tensor],
        x: &Tensor,
        dy: &Tensor,
        needs_dx: bool,
    ) -> Option<Tensor> {
        needs_dx.then(|| {
            let dx = Tensor::zeros(plan.gpu(), label, x.shape());
            activation::backward(plan, label, self.name, x, dy, &dx);
            dx
        })
    }
}
