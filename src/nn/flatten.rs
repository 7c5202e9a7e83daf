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

impl Layer for Flatten {
    fn output(&self) -> Shape {
        Shape::Features(self.input.values())
    }

    fn bytes(&self) -> u64 {
        match self.input {
            Shape::Features(_) => 0,
            map => self.output().bytes() + map.bytes(),
        }
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let Shape::Map { extent, .. } = self.input else { return x.clone() };
        let y = self.output().tensor(pass.plan, pass.batch);
        reshape::flatten(pass.plan, label, extent, &x.tensor, None, &x.tensor, &y);
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
        let Shape::Map { extent, .. } = self.input else { return Some(dy.clone()) };
        let dx = self.input.tensor(pass.plan, pass.batch);
        reshape::unflatten(pass.plan, label, extent, dy, origin.name, &origin.pre, &dx);
        Some(dx)
    }
}
