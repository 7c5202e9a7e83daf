//! Dropout (Srivastava et al. 2014).

use super::{Graph, Layer, LayerSpec, Setting, Shape, ValueId};
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
        let (id, rows) = (inputs[0], graph.rows(inputs[0]));
        let Some(draws) = graph.training() else { return id };
        let (x, y, name) = (graph.tensor(id), graph.allocate(self.input, rows), label.to_string());
        let mask = Mask { probability: self.p, seed: draws.seed, layer: graph.next_mask() };
        dropout::forward(graph.recording, label, &mask, draws.state, &x, &y);
        graph.push(label, inputs, (self.input, rows, y), move |back, dy| {
            let (origin, dx, state) = (back.origin(id), back.allocate(id), back.draws().state);
            dropout::backward(back.recording(), &name, &mask, state, dy, &origin, &dx);
            back.add(id, dx);
        })
    }
}
