//! Dropout (Srivastava et al. 2014).

use super::{Backward, Build, Draws, Forward, Layer, LayerSpec, Setting, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::dropout::{self, Mask};

/// In training each value is 0 with probability `p`, and otherwise divided by 1 − p; in evaluation
/// y = x.
struct Dropout {
    input: Shape,
    p: f64,
    /// Keeps its draws apart from those of other layers.
    number: u32,
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    let p = match &spec.size {
        Some(Setting::Number(p)) if (0.0..1.0).contains(p) => *p,
        Some(Setting::Integer(0)) => 0.0,
        _ => {
            return Err("wants a probability from 0 up and below 1, as in { dropout = 0.1 }".into());
        }
    };
    let number = build.draws.get();
    build.draws.set(number + 1);
    Ok(Box::new(Dropout { input, p, number }))
}

impl Dropout {
    fn mask(&self, draws: &Draws) -> Mask {
        Mask { probability: self.p, seed: draws.seed, layer: self.number }
    }
}

impl Layer for Dropout {
    fn output(&self) -> Shape {
        self.input
    }

    fn bytes(&self) -> u64 {
        2 * self.input.bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let Some(draws) = pass.training else { return x.clone() };
        let y = self.input.tensor(pass.plan, pass.batch);
        let mask = self.mask(&draws);
        dropout::forward(pass.plan, label, &mask, draws.state, &x.tensor, &y);
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
        let (mask, state) = (self.mask(&pass.training), pass.training.state);
        dropout::backward(pass.plan, label, &mask, state, dy, origin, &dx);
        Some(dx)
    }
}
