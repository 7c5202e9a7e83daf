//! Pooling by the maximum or the mean of each window.

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value};
use crate::gpu::{Tensor, padded};
use crate::ops::pool::{self, Window};

/// As PyTorch's `MaxPool2d` and `AvgPool2d` without `ceil_mode`; in a mean, padding counts as zeros.
struct Pool {
    channels: usize,
    window: Window,
    is_max: bool,
}

pub(super) fn max(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    build(spec, input, true)
}

pub(super) fn avg(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    build(spec, input, false)
}

fn build(spec: &LayerSpec, input: Shape, is_max: bool) -> Result<Box<dyn Layer>, String> {
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
    let window = Window::new(extent, kernel, stride, padding);
    let window = window.ok_or("wants maps no smaller than a window")?;
    Ok(Box::new(Pool { channels, window, is_max }))
}

impl Pool {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.window.input }
    }
}

impl Layer for Pool {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.window.output }
    }

    fn bytes(&self) -> u64 {
        // An index is a byte, a value four.
        let indices = if self.is_max { self.output().bytes() / 4 } else { 0 };
        self.output().bytes() + indices + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        if !self.is_max {
            pool::avg_forward(pass.plan, label, &self.window, &x.tensor, &y);
            return Value::new(y);
        }
        let indices = pass.plan.vector(y.rows() * padded(self.channels) / 4);
        pool::max_forward(pass.plan, label, &self.window, &x.tensor, &y, &indices);
        Value { saved: vec![indices], ..Value::new(y) }
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
        if self.is_max {
            let indices = &y.saved[0];
            pool::max_backward(pass.plan, label, &self.window, dy, indices, origin, &dx);
        } else {
            pool::avg_backward(pass.plan, label, &self.window, dy, origin, &dx);
        }
        Some(dx)
    }
}
