//! Pooling by the maximum of each window.

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value};
use crate::gpu::{Tensor, padded};
use crate::ops::Extent;
use crate::ops::pool::{self, Window};

/// As PyTorch's `MaxPool2d` without `ceil_mode`.
struct MaxPool2d {
    channels: usize,
    input: Extent,
    window: Window,
    output: Extent,
}

/// Channels, extent, window and the extent of the output of a layer that pools.
pub(super) fn window(
    spec: &LayerSpec,
    input: Shape,
) -> Result<(usize, Extent, Window, Extent), String> {
    let (channels, extent) = super::map(input)?;
    let kernel = spec.size(None)?;
    let stride = spec.integer("stride", 1, Some(kernel))?;
    let padding = spec.integer("padding", 0, Some(0))?;
    if kernel > Window::LARGEST {
        return Err(format!("wants windows of at most {}", Window::LARGEST));
    }
    if 2 * padding > kernel {
        return Err(format!("padding = {padding}: must be at most half of {kernel}"));
    }
    let window = Window { kernel, stride, padding };
    let output = window.output(extent);
    let output =
        output.ok_or_else(|| format!("is given maps of {input}, smaller than a window"))?;
    Ok((channels, extent, window, output))
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    let (channels, input, window, output) = window(spec, input)?;
    Ok(Box::new(MaxPool2d { channels, input, window, output }))
}

impl MaxPool2d {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.input }
    }
}

impl Layer for MaxPool2d {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.output }
    }

    fn bytes(&self) -> u64 {
        // A winner for every four channels.
        self.output().bytes() + self.output().bytes() / 4 + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        let winners = pass.plan.vector(y.rows() * padded(self.channels) / 4);
        let Self { window, input, .. } = *self;
        pool::max_forward(pass.plan, label, window, &x.tensor, input, &y, &winners);
        Value { saved: vec![winners], ..Value::new(y) }
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, y]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let origin = x.origin.as_ref()?;
        let dx = self.input().tensor(pass.plan, pass.batch);
        let (Self { window, input, .. }, winners) = (self, &y.saved[0]);
        pool::max_backward(pass.plan, label, *window, dy, winners, origin, *input, &dx);
        Some(dx)
    }
}
