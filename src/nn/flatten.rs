//! Maps as features.

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::reshape;

/// y = x in a row, in PyTorch's order (channel, row, column); features stay as they are.
struct Flatten {
    input: Shape,
}

pub(super) fn build(_: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    Ok(Box::new(Flatten { input }))
}

impl Flatten {
    /// Features are in a row already.
    fn is_nothing(&self) -> bool {
        matches!(self.input, Shape::Features(_))
    }
}

impl Layer for Flatten {
    fn output(&self) -> Shape {
        Shape::Features(self.input.values())
    }

    fn bytes(&self) -> u64 {
        if self.is_nothing() { 0 } else { self.output().bytes() + self.input.bytes() }
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        if self.is_nothing() {
            return x.clone();
        }
        let y = self.output().tensor(pass.plan, pass.batch);
        reshape::flatten(pass.plan, label, &x.tensor, None, &y);
        Value::new(y)
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, _]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let origin = x.origin.as_ref()?;
        if self.is_nothing() {
            return Some(dy.clone());
        }
        let dx = self.input.tensor(pass.plan, pass.batch);
        reshape::unflatten(pass.plan, label, dy, Some(origin), &dx);
        Some(dx)
    }
}
