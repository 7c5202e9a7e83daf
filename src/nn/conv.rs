//! Convolutions and transposed ones.

use super::{Backward, Build, Forward, Layer, LayerSpec, ParameterSpec, Shape, Value};
use crate::gpu::{Tensor, padded};
use crate::ops::Extent;
use crate::ops::activation::Activation;
use crate::ops::conv::{self, Geometry, WeightGradient};
use crate::ops::matmul::Problem;

/// y = f(x ∗ W + b) with W (outputs, inputs, kernel, kernel), b (outputs) and an activation f, or the
/// way back through such a convolution, with W (inputs, outputs, kernel, kernel). Initialised as
/// PyTorch's `Conv2d` and `ConvTranspose2d`: both uniform within ±1/√(channels · kernel²), the channels
/// those of the larger map.
struct Conv {
    inputs: usize,
    outputs: usize,
    geometry: Geometry,
    activation: Option<Activation>,
}

pub(super) fn conv2d(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    conv(spec, input, build, false)
}

pub(super) fn conv_transpose2d(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    conv(spec, input, build, true)
}

fn conv(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
    transposed: bool,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, extent) = super::map(input)?;
    let outputs = spec.size(Some(build.image.columns()))?;
    let kernel = spec.integer("kernel", 1, None)?;
    let stride = spec.integer("stride", 1, Some(1))?;
    let padding = spec.integer("padding", 0, Some(0))?;
    let [small, large] = if transposed { [inputs, outputs] } else { [outputs, inputs] };
    super::check_weight(&[small, padded(large), kernel, kernel])?;
    let Extent { height, width } = extent;
    let (geometry, misfit) = if transposed {
        let more = spec.integer("output_padding", 0, Some(0))?;
        if more >= stride {
            return Err(format!("output_padding = {more}: must be below the stride, {stride}"));
        }
        let misfit = format!("makes nothing of that: padding {padding} is too much");
        (Geometry::transposed(extent, kernel, stride, padding, more), misfit)
    } else {
        let misfit = format!(
            "a kernel of {kernel} does not fit maps of {height}x{width}, padding {padding}"
        );
        (Geometry::convolution(extent, kernel, stride, padding), misfit)
    };
    let geometry = geometry.ok_or(misfit)?;
    if !geometry.is_possible(large) {
        return Err(format!("a kernel of {kernel} over {large} channels is too large"));
    }
    Ok(Box::new(Conv { inputs, outputs, geometry, activation: None }))
}

impl Conv {
    fn input(&self) -> Shape {
        Shape::Map { channels: self.inputs, extent: self.geometry.input() }
    }
}

impl Layer for Conv {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.outputs, extent: self.geometry.output() }
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let Self { inputs, outputs, geometry, .. } = *self;
        let [small, large] = geometry.small_and_large([inputs, outputs]);
        let kernel = geometry.kernel;
        let bound = 1.0 / ((large * kernel * kernel) as f64).sqrt();
        vec![
            ParameterSpec::uniform("weight", &[small, large, kernel, kernel], bound),
            ParameterSpec::uniform("bias", &[outputs], bound),
        ]
    }

    fn problems(&self) -> Vec<Problem> {
        let Self { inputs, outputs, geometry, .. } = *self;
        vec![Problem::Conv { geometry, inputs, outputs }]
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn flop(&self) -> u64 {
        let Geometry { kernel, small, .. } = self.geometry;
        2 * (small.height * small.width * kernel * kernel * self.inputs * self.outputs) as u64
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
            dy: dy.clone(),
            x: x.tensor.clone(),
            weight: weight.clone(),
            bias,
        });
        let origin = x.origin.as_ref()?;
        let dx = self.input().tensor(pass.plan, pass.batch);
        conv::backward_input(pass.plan, label, &geometry, dy, &weight, origin, &dx);
        Some(dx)
    }
}
