//! Features as maps.

use super::{Graph, Layer, LayerSpec, Setting, Shape, ValueId};
use crate::ops::{Extent, reshape};

/// y = x as maps, in PyTorch's order (channel, row, column).
struct Reshape {
    channels: usize,
    extent: Extent,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
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
            Ok(Box::new(Reshape { channels, extent: Extent { height, width } }))
        }
        Some(product) => Err(format!("wants {product} features for that")),
        None => Err("wants too many features for that".into()),
    }
}

impl Layer for Reshape {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.channels, extent: self.extent }
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let to = (self.output(), graph.rows(inputs[0]));
        graph.unary(
            label,
            inputs[0],
            to,
            |recording, x, y| reshape::unflatten(recording, label, x, None, y),
            |recording, label, dy, origin, dx| {
                reshape::flatten(recording, label, dy, Some(origin), dx);
            },
        )
    }
}
