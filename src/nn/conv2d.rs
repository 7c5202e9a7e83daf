//! The convolutional layer.

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value};
use crate::gpu::{Tensor, padded};
use crate::ops::Extent;
use crate::ops::conv::{self, Geometry, WeightGradient};
use crate::ops::matmul::Problem;

/// y = f(x ∗ W + b) with W (outputs, inputs, kernel, kernel), b (outputs) and an activation f,
/// initialised as PyTorch's `Conv2d`: both uniform within ±1/√(inputs · kernel²).
struct Conv2d {
    inputs: usize,
    outputs: usize,
    geometry: Geometry,
    activation: Option<&'static str>,
}

/// Kernel, stride and padding of a layer that convolves.
pub(super) fn window(spec: &LayerSpec) -> Result<[usize; 3], String> {
    let kernel = spec.integer("kernel", 1, None)?;
    Ok([kernel, spec.integer("stride", 1, Some(1))?, spec.integer("padding", 0, Some(0))?])
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, extent) = super::map(input)?;
    let outputs = spec.size(Some(build.image.columns()))?;
    let [kernel, stride, padding] = window(spec)?;
    super::check_weight(&[outputs, padded(inputs), kernel, kernel])?;
    let geometry = Geometry::convolution(extent, kernel, stride, padding);
    if geometry.is_some_and(|geometry| !geometry.is_possible(inputs)) {
        return Err(format!("a kernel of {kernel} over {inputs} channels is too large"));
    }
    let geometry = geometry.ok_or_else(|| {
        let Extent { height, width } = extent;
        format!("a kernel of {kernel} does not fit maps of {height}x{width}, padding {padding}")
    })?;
    Ok(Box::new(Conv2d { inputs, outputs, geometry, activation: None }))
}

impl Conv2d {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.inputs, extent: self.geometry.large }
    }
}

impl Layer for Conv2d {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.outputs, extent: self.geometry.small }
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let Self { inputs, outputs, geometry: Geometry { kernel, .. }, .. } = *self;
        let bound = 1.0 / ((inputs * kernel * kernel) as f64).sqrt();
        vec![
            ParameterSpec::uniform("weight", &[outputs, inputs, kernel, kernel], bound),
            ParameterSpec::uniform("bias", &[outputs], bound),
        ]
    }

    fn problems(&self) -> Vec<Problem> {
        let Self { inputs, outputs, geometry, .. } = *self;
        vec![Problem::Conv { geometry, inputs, outputs, transposed: false }]
    }

    fn activate(&mut self, name: &'static str) -> bool {
        super::take(&mut self.activation, name)
    }

    fn flop(&self) -> u64 {
        let taps = self.inputs * self.geometry.kernel * self.geometry.kernel;
        2 * (self.output().values() * taps) as u64
    }

    fn bytes(&self) -> u64 {
        2 * self.output().bytes() + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let [pre, y] = [(); 2].map(|()| self.output().tensor(pass.plan, pass.batch));
        let [weight, bias] = &pass.parameters.expect(label, ["weight", "bias"]);
        let (geometry, x) = (&self.geometry, &x.tensor);
        conv::forward(pass.plan, label, geometry, x, weight, bias, self.activation, &pre, &y);
        Value::activated(self.activation, pre, y)
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, _]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        let [weight, bias] = pass.parameters.expect(label, ["weight", "bias"]);
        let geometry = self.geometry;
        pass.convolutions.push(WeightGradient {
            geometry,
            small: dy.clone(),
            large: x.tensor.clone(),
            transposed: false,
            weight: weight.clone(),
            bias,
        });
        let origin = x.origin.as_ref()?;
        let dx = self.input().tensor(pass.plan, pass.batch);
        conv::backward_input(
            pass.plan,
            label,
            &geometry,
            dy,
            &weight,
            origin.name,
            &origin.pre,
            &dx,
        );
        Some(dx)
    }
}
