//! Maps as features.

use super::{Graph, Layer, LayerSpec, Shape, ValueId};
use crate::ops::reshape;

/// y = x in a row, in PyTorch's order (channel, row, column); features stay as they are.
struct Flatten {
    input: Shape,
}

pub(super) fn build(_: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    Ok(Box::new(Flatten { input }))
}

impl Flatten {
    /// Features are in a row already.
    fn is_nothing(&self) -> bool {
        matches!(self.input, Shape::Features(_))
    }
}

impl Layer for Flatten {
    fn output(&self) -> Shape {
        Shape::Features(self.input.values())
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (x, to) = (inputs[0], (self.output(), graph.rows(inputs[0])));
        if self.is_nothing() {
            return x;
        }
        graph.unary(
            label,
            x,
            to,
            |recording, x, y| reshape::flatten(recording, label, x, None, y),
            |recording, label, dy, origin, dx| {
                reshape::unflatten(recording, label, dy, Some(origin), dx);
            },
        )
    }
}
