//! Dropout (Srivastava et al. 2014).

use super::{Draws, Graph, Layer, LayerSpec, Setting, Shape, ValueId};
use crate::ops::dropout::{self, Mask};

/// In training each value is 0 with probability `p`, and otherwise divided by 1 − p; in evaluation
/// y = x.
struct Dropout {
    input: Shape,
    p: f64,
}

pub(super) fn build(spec: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    let p = match &spec.size {
        Some(Setting::Number(p)) if (0.0..1.0).contains(p) => *p,
        Some(Setting::Integer(0)) => 0.0,
        _ => {
            return Err("wants a probability from 0 up and below 1, as in { dropout = 0.1 }".into());
        }
    };
    Ok(Box::new(Dropout { input, p }))
}

impl Layer for Dropout {
    fn output(&self) -> Shape {
        self.input
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let Some(Draws { seed, state }) = graph.training() else { return inputs[0] };
        let mask = Mask { probability: self.p, seed, layer: graph.next_mask() };
        let (to, kept) = ((self.input, graph.rows(inputs[0])), state.clone());
        graph.unary(
            label,
            inputs[0],
            to,
            |recording, x, y| dropout::forward(recording, label, &mask, state, x, y),
            move |recording, label, dy, origin, dx| {
                dropout::backward(recording, label, &mask, &kept, dy, origin, dx);
            },
        )
    }
}
