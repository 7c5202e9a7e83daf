//! Upsampling by channels that become pixels (Shi et al. 2016).

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::{Extent, pixel_shuffle};

/// Each factor² channels become one, in maps `factor` times as high and wide, as PyTorch's
/// `PixelShuffle`.
struct PixelShuffle {
    channels: usize,
    input: Extent,
    factor: usize,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    let (channels, input) = super::map(input)?;
    let factor = spec.size(None)?;
    let square = factor.saturating_mul(factor);
    if !channels.is_multiple_of(square) {
        return Err(format!("wants a multiple of {square} channels"));
    }
    Ok(Box::new(PixelShuffle { channels: channels / square, input, factor }))
}

impl PixelShuffle {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.channels * self.factor * self.factor, extent: self.input }
    }
}

impl Layer for PixelShuffle {
    fn output(&self) -> Shape {
        let Extent { height, width } = self.input;
        Shape::map(self.channels, self.factor * height, self.factor * width)
    }

    fn bytes(&self) -> u64 {
        self.output().bytes() + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        pixel_shuffle::forward(pass.plan, label, self.factor, &x.tensor, self.input, &y);
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
        pixel_shuffle::backward(pass.plan, label, self.factor, dy, origin, self.input, &dx);
        Some(dx)
    }
}
