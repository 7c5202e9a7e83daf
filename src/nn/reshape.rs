//! Features as maps.

use super::{Backward, Build, Forward, Layer, LayerSpec, Setting, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::{Extent, reshape};

/// y = x as maps, in PyTorch's order (channel, row, column).
struct Reshape {
    input: Shape,
    channels: usize,
    extent: Extent,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    super::features(input)?;
    let Some(Setting::Integers(sizes)) = &spec.size else {
        return Err("wants [channels, height, width], as in { reshape = [64, 7, 7] }".into());
    };
    let &[channels, height, width] = &sizes[..] else {
        return Err("wants three sizes: [channels, height, width]".into());
    };
    let reshape = Reshape { input, channels, extent: Extent { height, width } };
    let product = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match product {
        Some(product) if product == input.values() => Ok(Box::new(reshape)),
        _ => Err(format!("wants {} features for that, and is given {input}", {
            product.map_or("too many".into(), |product| product.to_string())
        })),
    }
}

impl Layer for Reshape {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.extent }
    }

    fn bytes(&self) -> u64 {
        self.output().bytes() + self.input.bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let y = self.output().tensor(pass.plan, pass.batch);
        reshape::unflatten_forward(pass.plan, label, &x.tensor, &y);
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
        let dx = self.input.tensor(pass.plan, pass.batch);
        reshape::unflatten_backward(pass.plan, label, dy, origin.name, &origin.pre, &dx);
        Some(dx)
    }
}
