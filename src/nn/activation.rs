//! An activation where no layer before it could compute it.

use super::{Graph, Layer, Output, Shape, ValueId};
use crate::ops::activate;
use crate::ops::activation::Activation;

/// y = f(x), element by element.
pub(super) struct Activated {
    pub activation: Activation,
    pub shape: Shape,
}

impl Layer for Activated {
    fn output(&self) -> Shape {
        self.shape
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (id, x) = (inputs[0], graph.tensor(inputs[0]));
        let out = graph.output(id, self.shape, Some(self.activation));
        activate::forward(graph.recording, label, &x, Some(self.activation), &out.y);
        // The pre-activation is x itself, so the gradient by the one is that by the other.
        let out = Output { pre: x, ..out };
        graph.push(label, inputs, &[], out, move |back, dy| back.pass(id, dy.clone()))
    }
}
