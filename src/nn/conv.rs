//! Convolutions and transposed ones.

use super::{Graph, Layer, LayerSpec, ParameterSpec, Shape, ValueId};
use crate::gpu::padded;
use crate::ops::activation::Activation;
use crate::ops::conv::{self, Geometry, WeightGradient};
use crate::ops::matmul::Problem;
use crate::ops::{Extent, Pair};
use crate::words::counted;

/// y = f(x ∗ W + b) with W (outputs, inputs, kernel's height, width), b (outputs) and an activation f, or
/// the backward pass through such a convolution, with W (inputs, outputs, height, width). Initialised as
/// PyTorch's `Conv2d` and `ConvTranspose2d`: both uniform within ±1/√(channels · height · width), the
/// channels those of the larger map.
struct Conv {
    inputs: usize,
    outputs: usize,
    geometry: Geometry,
    activation: Option<Activation>,
}

pub(super) fn conv2d(
    spec: &LayerSpec,
    input: Shape,
    image: Shape,
) -> Result<Box<dyn Layer>, String> {
    conv(spec, input, image, false)
}

pub(super) fn conv_transpose2d(
    spec: &LayerSpec,
    input: Shape,
    image: Shape,
) -> Result<Box<dyn Layer>, String> {
    conv(spec, input, image, true)
}

fn conv(
    spec: &LayerSpec,
    input: Shape,
    image: Shape,
    transposed: bool,
) -> Result<Box<dyn Layer>, String> {
    let (inputs, extent) = super::map(input)?;
    let outputs = spec.size(Some(image.columns()))?;
    let kernel = spec.pair("kernel", 1, None)?;
    let stride = spec.pair("stride", 1, Some(1.into()))?;
    let padding = spec.pair("padding", 0, Some(0.into()))?;
    let [small, large] = if transposed { [inputs, outputs] } else { [outputs, inputs] };
    super::check_weight(&[small, padded(large), kernel.down, kernel.across])?;
    let Extent { height, width } = extent;
    let (geometry, misfit) = if transposed {
        let more = spec.pair("output_padding", 0, Some(0.into()))?;
        if more.down >= stride.down || more.across >= stride.across {
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
    if stride.down.max(stride.across) >= Geometry::LIMIT {
        return Err(format!("stride = {stride}: must be below {}", Geometry::LIMIT));
    }
    if !geometry.is_possible(large) {
        let channels = counted(large, "channel");
        return Err(format!("a kernel of {kernel} over {channels} is too large"));
    }
    Ok(Box::new(Conv { inputs, outputs, geometry, activation: None }))
}

impl Layer for Conv {
    fn output(&self) -> Shape {
        Shape::Map { channels: self.outputs, extent: self.geometry.output() }
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let Self { inputs, outputs, geometry, .. } = *self;
        let [small, large] = geometry.small_and_large([inputs, outputs]);
        let Pair { down, across } = geometry.kernel;
        let bound = 1.0 / ((large * down * across) as f64).sqrt();
        vec![
            ParameterSpec::uniform("weight", &[small, large, down, across], bound),
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
        2 * (small.height * small.width * kernel.area() * self.inputs * self.outputs) as u64
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (id, x) = (inputs[0], graph.tensor(inputs[0]));
        let [weight, bias] = graph.parameters(label, ["weight", "bias"]);
        let out = graph.output(id, self.output(), self.activation);
        let (geometry, activation) = (self.geometry, self.activation);
        let (recording, [pre, y]) = (&mut *graph.recording, [&out.pre, &out.y]);
        conv::forward(recording, label, &geometry, &x, &weight, &bias, activation, pre, y);
        graph.push(label, inputs, &[weight.clone(), bias.clone()], out, move |back, dy| {
            if back.wants(id) {
                let (origin, dx) = (back.origin(id), back.allocate(id));
                let (recording, label) = back.recorder();
                conv::backward_input(recording, label, &geometry, dy, &weight, &origin, &dx);
                back.add(id, dx);
            }
            let (dy, x, weight, bias) = (dy.clone(), x.clone(), weight.clone(), bias.clone());
            back.convolution(&WeightGradient { geometry, dy, x, weight, bias });
        })
    }
}
