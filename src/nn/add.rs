//! The sum of two values, as at the end of a residual block (He et al. 2015).

use super::{Graph, Layer, Shape, ValueId};
use crate::ops::activation::Activation;
use crate::ops::add;

/// y = f(a + b) of two values of one shape.
pub(super) struct Add {
    pub shape: Shape,
    pub activation: Option<Activation>,
}

impl Layer for Add {
    fn output(&self) -> Shape {
        self.shape
    }

    fn activate(&mut self, activation: Activation) -> bool {
        super::take(&mut self.activation, activation)
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let ids = [inputs[0], inputs[1]];
        let [a, mut b] = ids.map(|id| graph.tensor(id));
        if a.is_same(&b) {
            b = graph.copy(label, ids[1], &b);
        }
        let out = graph.output(ids[0], self.shape, self.activation);
        let (recording, [pre, y]) = (&mut *graph.recording, [&out.pre, &out.y]);
        add::forward(recording, label, [&a, &b], self.activation, pre, y);
        graph.push(label, inputs, &[], out, move |back, dy| {
            for id in ids {
                if back.wants(id) {
                    back.pass(id, dy.clone());
                }
            }
        })
    }
}
