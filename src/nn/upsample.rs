//! Nearest-neighbour upsampling.

use super::{Backward, Build, Forward, Layer, LayerSpec, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::{Extent, upsample};

/// Each place of a map becomes `factor` by `factor` of them, as PyTorch's `Upsample`.
#[derive(Clone, Copy)]
struct Upsample {
    channels: usize,
    input: Extent,
    factor: usize,
}

/// An invocation makes all copies of a pixel, and llvmpipe runs a loop 65,535 times at most.
const LARGEST: usize = 128;

pub(super) fn build(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    let (channels, input) = super::map(input)?;
    let factor = spec.size(None)?;
    if factor > LARGEST {
        return Err(format!("wants a factor of at most {LARGEST}"));
    }
    Ok(Box::new(Upsample { channels, input, factor }))
}

impl Layer for Upsample {
    fn output(&self) -> Shape {
        let Extent { height, width } = self.input;
        Shape::map(self.channels, self.factor * height, self.factor * width)
    }

    fn bytes(&self) -> u64 {
        self.output().bytes() + self.shape().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        upsample::forward(pass.plan, label, self.factor, &x.tensor, self.input, &y);
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
        let dx = self.shape().tensor(pass.plan, pass.batch);
        let Self { input, factor, .. } = *self;
        upsample::backward(pass.plan, label, factor, dy, origin, input, &dx);
        Some(dx)
    }
}

impl Upsample {
    fn shape(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.input }
    }
}
