//! The transposed convolution.

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value, conv2d};
use crate::gpu::{Tensor, padded};
use crate::ops::Extent;
use crate::ops::conv::{self, Geometry, WeightGradient};
use crate::ops::matmul::Problem;

/// y = f(xᵀ∗ W + b), the way back through a convolution, with W (inputs, outputs, kernel, kernel),
/// b (outputs) and an activation f, initialised as PyTorch's `ConvTranspose2d`: both uniform within
/// ±1/√(outputs · kernel²).
struct ConvTranspose2d {
    inputs: usize,
    outputs: usize,
    geometry: Geometry,
    activation: Option<&'static str>,
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, extent) = super::map(input)?;
    let outputs = spec.size(Some(build.image.columns()))?;
    let [kernel, stride, padding] = conv2d::window(spec)?;
    super::check_weight(&[inputs, padded(outputs), kernel, kernel])?;
    let more = spec.integer("output_padding", 0, Some(0))?;
    if more >= stride {
        return Err(format!("output_padding = {more}: must be below the stride, {stride}"));
    }
    let geometry = Geometry::transposed(extent, kernel, stride, padding, more);
    if geometry.is_some_and(|geometry| !geometry.is_possible(outputs)) {
        return Err(format!("a kernel of {kernel} over {outputs} channels is too large"));
    }
    let geometry = geometry.ok_or_else(|| {
        let Extent { height, width } = extent;
        format!("makes nothing of maps of {height}x{width}: padding {padding} is too much")
    })?;
    Ok(Box::new(ConvTranspose2d { inputs, outputs, geometry, activation: None }))
}

impl ConvTranspose2d {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.inputs, extent: self.geometry.small }
    }
}

impl Layer for ConvTranspose2d {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.outputs, extent: self.geometry.large }
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let Self { inputs, outputs, geometry: Geometry { kernel, .. }, .. } = *self;
        let bound = 1.0 / ((outputs * kernel * kernel) as f64).sqrt();
        vec![
            ParameterSpec::uniform("weight", &[inputs, outputs, kernel, kernel], bound),
            ParameterSpec::uniform("bias", &[outputs], bound),
        ]
    }

    fn problems(&self) -> Vec<Problem> {
        let Self { inputs, outputs, geometry, .. } = *self;
        vec![Problem::Conv { geometry, inputs, outputs, transposed: true }]
    }

    fn activate(&mut self, name: &'static str) -> bool {
        super::take(&mut self.activation, name)
    }

    fn flop(&self) -> u64 {
        let taps = self.outputs * self.geometry.kernel * self.geometry.kernel;
        2 * (self.input().values() * taps) as u64
    }

    fn bytes(&self) -> u64 {
        2 * self.output().bytes() + self.input().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let [pre, y] = [(); 2].map(|()| self.output().tensor(pass.plan, pass.batch));
        let [weight, bias] = &pass.parameters.expect(label, ["weight", "bias"]);
        let (geometry, x) = (&self.geometry, &x.tensor);
        conv::transposed_forward(
            pass.plan,
            label,
            geometry,
            x,
            weight,
            bias,
            self.activation,
            &pre,
            &y,
        );
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
            small: x.tensor.clone(),
            large: dy.clone(),
            transposed: true,
            weight: weight.clone(),
            bias,
        });
        let origin = x.origin.as_ref()?;
        let dx = self.input().tensor(pass.plan, pass.batch);
        conv::transposed_backward_input(
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
