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
        let (id, shape, rows) = (inputs[0], self.output(), graph.rows(inputs[0]));
        if self.is_nothing() {
            return id;
        }
        let (y, name) = (graph.allocate(shape, rows), label.to_string());
        let x = graph.tensor(id);
        reshape::flatten(graph.recording, label, &x, None, &y);
        graph.push(label, inputs, (shape, rows, y), move |back, dy| {
            let (origin, dx) = (back.origin(id), back.allocate(id));
            reshape::unflatten(back.recording(), &name, dy, Some(&origin), &dx);
            back.add(id, dx);
        })
    }
}
