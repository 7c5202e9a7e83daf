//! Pooling by the maximum or the mean of each window.

use super::{Graph, Layer, LayerSpec, Shape, ValueId};
use crate::gpu::padded;
use crate::ops::pool::{self, Window};

/// Pooling as PyTorch's `MaxPool2d` and `AvgPool2d` without `ceil_mode`; in a mean, padding counts as
/// zeros.
struct Pool {
    channels: usize,
    window: Window,
    is_max: bool,
}

pub(super) fn max(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    build(spec, input, true)
}

pub(super) fn avg(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    build(spec, input, false)
}

fn build(spec: &LayerSpec, input: Shape, is_max: bool) -> Result<Box<dyn Layer>, String> {
    let (channels, extent) = super::map(input)?;
    let kernel = spec.pair_size()?;
    let stride = spec.pair("stride", 1, Some(kernel))?;
    let padding = spec.pair("padding", 0, Some(0.into()))?;
    if kernel.down.max(kernel.across) > Window::LARGEST {
        return Err(format!("wants windows of at most {}", Window::LARGEST));
    }
    if 2 * padding.down > kernel.down || 2 * padding.across > kernel.across {
        return Err(format!("padding = {padding}: must be at most half of {kernel}"));
    }
    let window = Window::new(extent, kernel, stride, padding);
    let window = window.ok_or("wants maps no smaller than a window")?;
    Ok(Box::new(Pool { channels, window, is_max }))
}

impl Layer for Pool {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.window.output }
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (x, window, to) = (inputs[0], self.window, (self.output(), graph.rows(inputs[0])));
        if !self.is_max {
            return graph.unary(
                label,
                x,
                to,
                |recording, x, y| pool::avg_forward(recording, label, &window, x, y),
                move |recording, label, dy, origin, dx| {
                    pool::avg_backward(recording, label, &window, dy, origin, dx);
                },
            );
        }
        let quads = padded(self.channels) / 4;
        let indices = graph.recording.vector(to.1 * to.0.rows() * quads);
        let kept = indices.clone();
        graph.unary(
            label,
            x,
            to,
            |recording, x, y| pool::max_forward(recording, label, &window, x, y, &indices),
            move |recording, label, dy, origin, dx| {
                pool::max_backward(recording, label, &window, dy, &kept, origin, dx);
            },
        )
    }
}
