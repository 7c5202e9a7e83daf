//! Layer normalization (Ba et al. 2016).

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value};
use crate::gpu::Tensor;
use crate::ops::activation::Activation;
use crate::ops::moments::Normalized;
use crate::ops::{Extent, layer_norm};

/// y = f((x − mean) / √(variance + 1e-5) · weight + bias) over all values of an image, as PyTorch's
/// `LayerNorm` of features or of (channels, height, width).
struct LayerNorm {
    input: Shape,
    activation: Option<Activation>,
}

/// Values in a row: a lane takes turns at them twice, and llvmpipe runs a loop 65,535 times at most.
const LARGEST: usize = 1 << 19;

pub(super) fn build(_: &LayerSpec, input: Shape, _: &Build) -> Result<Box<dyn Layer>, String> {
    if input.columns() > LARGEST {
        return Err(format!("wants at most {LARGEST} features or channels"));
    }
    Ok(Box::new(LayerNorm { input, activation: None }))
}

const PARAMETERS: [&str; 2] = ["weight", "bias"];

impl LayerNorm {
    fn extent(&self) -> Extent {
        match self.input {
            Shape::Features(_) => Extent { height: 1, width: 1 },
            Shape::Map { extent, .. } => extent,
        }
    }
}

impl Layer for LayerNorm {
    fn output(&self) -> Shape {
        self.input
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let shape = match self.input {
            Shape::Features(count) => vec![count],
            Shape::Map { channels, extent } => vec![channels, extent.height, extent.width],
        };
        let [weight, bias] = PARAMETERS;
        vec![
            ParameterSpec::constant(weight, &shape, 1.0),
            ParameterSpec::constant(bias, &shape, 0.0),
        ]
    }

    fn is_fusible(&self) -> bool {
        false
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn bytes(&self) -> u64 {
        3 * self.input.bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let [pre, y] = [(); 2].map(|()| self.input.tensor(pass.plan, pass.batch));
        let parameters = pass.parameters.expect(label, PARAMETERS);
        let (extent, activation) = (self.extent(), self.activation);
        let parameters = parameters.each_ref();
        let moments = layer_norm::forward(
            pass.plan,
            label,
            extent,
            &x.tensor,
            parameters,
            activation,
            [&pre, &y],
        );
        Value { saved: vec![moments], ..Value::activated(activation, pre, y) }
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, y]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let [weight, _] = &pass.parameters.expect(label, PARAMETERS);
        let gradients = pass.gradients.expect("a place for gradients").expect(label, PARAMETERS);
        let (extent, gradients) = (self.extent(), gradients.each_ref());
        let forward = Normalized { x: &x.tensor, weight, moments: &y.saved[0] };
        layer_norm::backward_weight(pass.plan, label, extent, dy, forward, gradients);
        let origin = x.origin.as_ref()?;
        let dx = self.input.tensor(pass.plan, pass.batch);
        layer_norm::backward_input(pass.plan, label, extent, dy, forward, origin, &dx);
        Some(dx)
    }
}
