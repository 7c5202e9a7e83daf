//! Upsampling by channels that become pixels (Shi et al. 2016).

use super::{Graph, Layer, LayerSpec, Shape, ValueId};
use crate::ops::{Extent, pixel_shuffle};

/// Each factor² channels become one, in maps `factor` times as high and wide, as PyTorch's
/// `PixelShuffle`.
struct PixelShuffle {
    channels: usize,
    input: Extent,
    factor: usize,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    let (channels, input) = super::map(input)?;
    let factor = spec.size(None)?;
    let square = factor.saturating_mul(factor);
    if !channels.is_multiple_of(square) {
        return Err(format!("wants a multiple of {square} channels"));
    }
    Ok(Box::new(PixelShuffle { channels: channels / square, input, factor }))
}

impl Layer for PixelShuffle {
    fn output(&self) -> Shape {
        let Extent { height, width } = self.input;
        Shape::map(self.channels, self.factor * height, self.factor * width)
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (factor, input) = (self.factor, self.input);
        let to = (self.output(), graph.rows(inputs[0]));
        graph.unary(
            label,
            inputs[0],
            to,
            |recording, x, y| pixel_shuffle::forward(recording, label, factor, x, input, y),
            move |recording, label, dy, origin, dx| {
                pixel_shuffle::backward(recording, label, factor, dy, origin, input, dx);
            },
        )
    }
}
