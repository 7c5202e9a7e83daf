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
    let sizes = match &spec.size {
        Some(Setting::Integers(sizes)) => sizes.iter().map(|size| usize::try_from(*size)).collect(),
        _ => Ok(Vec::new()),
    };
    let (Ok(&[channels, height, width]), Ok(all)) = (sizes.as_deref(), &sizes) else {
        return Err("wants [channels, height, width], as in { reshape = [64, 7, 7] }".into());
    };
    let product = all.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match product {
        Some(product) if product == input.values() => {
            Ok(Box::new(Reshape { input, channels, extent: Extent { height, width } }))
        }
        Some(product) => Err(format!("wants {product} features for that")),
        None => Err("wants too many features for that".into()),
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
        reshape::unflatten(pass.plan, label, &x.tensor, None, &y);
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
        reshape::flatten(pass.plan, label, dy, Some(origin), &dx);
        Some(dx)
    }
}
