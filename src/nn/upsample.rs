//! Nearest-neighbour upsampling.

use super::{Graph, Layer, LayerSpec, Shape, ValueId};
use crate::ops::{Extent, Pair, upsample};

/// Each place of a map becomes `factor` of them, as PyTorch's `Upsample`.
#[derive(Clone, Copy)]
struct Upsample {
    channels: usize,
    input: Extent,
    factor: Pair,
}

/// An invocation makes all copies of a pixel, and llvmpipe runs a loop 65,535 times at most.
const LARGEST: usize = 128;

pub(super) fn build(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    let (channels, input) = super::map(input)?;
    let factor = spec.pair_size()?;
    if factor.down.max(factor.across) > LARGEST {
        return Err(format!("wants a factor of at most {LARGEST}"));
    }
    Ok(Box::new(Upsample { channels, input, factor }))
}

impl Layer for Upsample {
    fn output(&self) -> Shape {
        let Extent { height, width } = self.input;
        Shape::map(self.channels, self.factor.down * height, self.factor.across * width)
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (factor, input) = (self.factor, self.input);
        let to = (self.output(), graph.rows(inputs[0]));
        graph.unary(
            label,
            inputs[0],
            to,
            |recording, x, y| upsample::forward(recording, label, factor, x, input, y),
            move |recording, label, dy, origin, dx| {
                upsample::backward(recording, label, factor, dy, origin, input, dx);
            },
        )
    }
}
