//! An activation where no layer before it could compute it.

use super::{Backward, Forward, Layer, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::activate;
use crate::ops::activation::Activation;

/// y = f(x), element by element.
pub(super) struct Activated {
    pub name: Activation,
    pub shape: Shape,
}

impl Layer for Activated {
    fn output(&self) -> Shape {
        self.shape
    }

    fn bytes(&self) -> u64 {
        2 * self.shape.bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.shape.tensor(pass.plan, pass.batch);
        activate::forward(pass.plan, label, &x.tensor, Some(self.name), &y);
        Value::activated(Some(self.name), x.tensor.clone(), y)
    }

    /// dy is by x already: what is left is the activation that x itself came out of.
    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, _]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let origin = x.origin.as_ref()?;
        if origin.activation.is_none() {
            return Some(dy.clone());
        }
        let dx = self.shape.tensor(pass.plan, pass.batch);
        activate::backward(pass.plan, label, dy, origin, &dx);
        Some(dx)
    }
}
