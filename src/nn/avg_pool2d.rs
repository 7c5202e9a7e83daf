//! Pooling by the mean of each window.

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value, max_pool2d};
use crate::gpu::Tensor;
use crate::ops::Extent;
use crate::ops::pool::{self, Window};

/// As PyTorch's `AvgPool2d` without `ceil_mode`: padding counts as zeros.
struct AvgPool2d {
    channels: usize,
    input: Extent,
    window: Window,
    output: Extent,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    let (channels, input, window, output) = max_pool2d::window(spec, input)?;
    Ok(Box::new(AvgPool2d { channels, input, window, output }))
}

impl AvgPool2d {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.input }
    }
}

impl Layer for AvgPool2d {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.output }
    }

    fn bytes(&self) -> u64 {
        self.output().bytes() + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        pool::average_forward(pass.plan, label, self.window, &x.tensor, self.input, &y);
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
        let dx = self.input().tensor(pass.plan, pass.batch);
        let Self { window, input, .. } = *self;
        pool::average_backward(pass.plan, label, window, dy, origin, input, &dx);
        Some(dx)
    }
}
