//! Two-dimensional convolutions and transposed convolutions, as PyTorch defines them. They are the
//! products of `matmul` with the patches of a map as one factor, which kernels load from the map
//! itself, without storing them (im2col).
//!
//! A map is a matrix of (batch · height · width, channels). Both operations go between a larger map
//! and a smaller: a convolution from the larger to the smaller, a transposed one from the smaller
//! to the larger, and the gradients the other way. The weight is a matrix of (channels of the
//! smaller map, kernel height · width · channels of the larger), the latter channels padded by zeros to a
//! multiple of four: PyTorch's (outputs, inputs, height, width), or (inputs, outputs, height,
//! width) if transposed, with its dimensions permuted by 0, 2, 3, 1.

use std::sync::Arc;

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use super::column_sums;
pub use super::geometry::Geometry;
use super::geometry::{Patches, Phase};
use super::matmul::{Problem, Product, Variant, kernel};
use super::optimizer::Update;
use super::sums::{self, Sum};
use crate::gpu::{Kernel, Recording, Tensor};

/// Largest number of phases in a dispatch: see [`Phase`].
const PHASES: usize = 16;

/// y = activation(pre), and the pre-activation `pre` = the convolution of x by weight, or the
/// transposed one, + bias, of y's layout.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward(
    recording: &mut Recording,
    label: &str,
    geometry: &Geometry,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<Activation>,
    pre: &Tensor,
    y: &Tensor,
) {
    assert_eq!(pre.stride(), y.stride(), "{label}: layouts differ");
    let tensors = [("left", x), ("right", weight), ("bias", bias), ("pre", pre), ("result", y)];
    let record = if geometry.transposed { scatter } else { gather };
    record(recording, label, geometry, Product::Forward, activation, &tensors);
}

/// dx from dy, the gradient with respect to `pre` of [`forward`], multiplied by the derivative of
/// `origin`'s activation, whose output x is.
pub fn backward_input(
    recording: &mut Recording,
    label: &str,
    geometry: &Geometry,
    dy: &Tensor,
    weight: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    origin.assert_like(label, dx);
    let tensors = [("left", dy), ("right", weight), ("pre", &origin.pre), ("result", dx)];
    let record = if geometry.transposed { gather } else { scatter };
    record(recording, label, geometry, Product::BackwardInput, origin.activation, &tensors);
}

type Tensors<'a> = [(&'a str, &'a Tensor)];

/// The tensors that are bound to `left`, `right` and `result`.
fn sides<'a>(tensors: &Tensors<'a>) -> [&'a Tensor; 3] {
    let find = |name| tensors.iter().find(|(n, _)| *n == name).expect("every form has it").1;
    let result = find("result");
    [find("left"), find("right"), result]
}

/// The variant and the kernel of `product` for a batch that goes from the map `left` to `result`.
fn compiled(
    recording: &Recording,
    geometry: &Geometry,
    product: Product,
    batch: usize,
    [left, result]: [&Tensor; 2],
    constants: &[(&'static str, u32)],
) -> (Variant, Arc<Kernel>) {
    let [from, to] = [left.columns(), result.columns()];
    let [inputs, outputs] = if product == Product::Forward { [from, to] } else { [to, from] };
    let problem = Problem::Conv { geometry: *geometry, inputs, outputs };
    let variant = problem.variant(recording.adapter(), recording.choices(), product, batch);
    (variant, kernel(&problem.form(product), variant, constants))
}

/// Records a product that reads the larger map and writes the smaller.
fn gather(
    recording: &mut Recording,
    label: &str,
    geometry: &Geometry,
    product: Product,
    activation: Option<Activation>,
    tensors: &Tensors,
) {
    #[derive(Serialize)]
    struct Params {
        height: usize,
        width: usize,
        depth: usize,
        right_row: usize,
        result_row: usize,
        patches: Patches,
    }
    let [left, weight, result] = sides(tensors);
    let batch = geometry.batch(label, result, left, weight);
    let constants = [activation::constant(activation)];
    let (variant, kernel) =
        compiled(recording, geometry, product, batch, [left, result], &constants);
    let [height, width] = [result.rows(), result.columns()];
    let params = Params {
        height,
        width,
        depth: weight.columns(),
        right_row: weight.stride() / 4,
        result_row: result.stride() / 4,
        patches: geometry.patches(left),
    };
    recording.record_flat(kernel, label, &params, tensors, variant.groups(height, width));
}

/// Records a product that reads the smaller map and writes the larger.
fn scatter(
    recording: &mut Recording,
    label: &str,
    geometry: &Geometry,
    product: Product,
    activation: Option<Activation>,
    tensors: &Tensors,
) {
    #[derive(Serialize)]
    struct Params<'a> {
        width: usize,
        channels: usize,
        right_row: usize,
        result_row: usize,
        tap_down: usize,
        tap_across: usize,
        image: usize,
        line: usize,
        stride: usize,
        count: usize,
        phases: &'a [Phase],
    }
    let [left, weight, result] = sides(tensors);
    let batch = geometry.batch(label, left, result, weight);
    let Geometry { kernel: taps, stride, large, .. } = *geometry;
    let width = result.columns();
    let constants = [activation::constant(activation), ("PHASES", PHASES as u32)];
    let (variant, kernel) =
        compiled(recording, geometry, product, batch, [left, result], &constants);
    for phases in geometry.phases(left, batch).chunks(PHASES) {
        let params = Params {
            width,
            channels: left.columns(),
            right_row: weight.stride() / 4,
            result_row: result.stride() / 4,
            tap_down: stride.down * taps.across,
            tap_across: stride.across,
            image: large.height * large.width,
            line: stride.down * large.width,
            stride: stride.across,
            count: phases.len(),
            phases,
        };
        let groups = phases.iter().map(|phase| variant.groups(phase.height, width)).max();
        let groups = phases.len() * groups.expect("every map has a pixel");
        recording.record_flat(kernel.clone(), label, &params, tensors, groups);
    }
}

/// A convolution whose parameters' gradients are computed. Both dy and x must lie in the
/// recording's workspace.
#[derive(Clone)]
pub struct WeightGradient {
    /// The layer's geometry.
    pub geometry: Geometry,
    /// Gradient with respect to the pre-activation (pixels of the output, outputs).
    pub dy: Tensor,
    /// The layer's input (pixels of the input, inputs).
    pub x: Tensor,
    /// The weight, whose offset and shape say where its gradient goes; its values are not read.
    pub weight: Tensor,
    /// The bias (outputs), of which only the offset and the shape are used, too.
    pub bias: Tensor,
}

/// Fills `gradients`, a tensor of the parameters' layout, with the gradients of `layers`.
pub fn backward_weight(
    recording: &mut Recording,
    label: &str,
    layers: &[WeightGradient],
    gradients: &Tensor,
) {
    let sums: Vec<_> =
        layers.iter().flat_map(|layer| weight_parts(recording, label, layer)).collect();
    sums::parts(recording, label, &sums, gradients);
}

/// Takes the optimizer's step ([`super::optimizer::step`]) on the parameters of `layers`, without
/// storing their gradients.
pub fn backward_weight_step(
    recording: &mut Recording,
    label: &str,
    layers: &[WeightGradient],
    update: &Update,
) {
    let sums: Vec<_> =
        layers.iter().flat_map(|layer| weight_parts(recording, label, layer)).collect();
    sums::parts_step(recording, label, &sums, update);
}

/// Records the gradients of a layer's weight and bias in parts, which [`sums`] adds up.
pub fn weight_parts(recording: &mut Recording, label: &str, layer: &WeightGradient) -> [Sum; 2] {
    #[derive(Serialize)]
    struct Params {
        height: usize,
        width: usize,
        depth: usize,
        left_row: usize,
        result_row: usize,
        length: usize,
        parts: usize,
        groups: usize,
        patches: Patches,
    }
    let WeightGradient { geometry, dy, x, weight, bias } = layer;
    let [small, large] = geometry.small_and_large([x, dy]);
    let batch = geometry.batch(label, small, large, weight);
    let ([depth, height], width) = ([small.rows(), small.columns()], weight.columns());
    let product = Product::BackwardWeight;
    let (inputs, outputs) = (x.columns(), dy.columns());
    let problem = Problem::Conv { geometry: *geometry, inputs, outputs };
    let variant = problem.variant(recording.adapter(), recording.choices(), product, batch);
    let groups = variant.groups(height, width);
    let length = length(recording, groups, depth);
    let count = depth.div_ceil(length);
    let parts = recording.matrix(&[count, weight.extent() + small.stride()]);

    let params = Params {
        height,
        width,
        depth,
        left_row: small.stride() / 4,
        result_row: weight.stride() / 4,
        length,
        parts: count,
        groups,
        patches: geometry.patches(large),
    };
    let kernel = kernel(&problem.form(product), variant, &[]);
    let tensors = [("left", small), ("right", large), ("result", &parts)];
    recording.record_flat(kernel, label, &params, &tensors, count * groups);

    let of_bias = match geometry.transposed {
        true => {
            Sum { parts: column_sums::parts(recording, label, dy), offset: 0, result: bias.clone() }
        }
        false => Sum { parts: parts.clone(), offset: weight.extent(), result: bias.clone() },
    };
    [Sum { parts, offset: 0, result: weight.clone() }, of_bias]
}

/// Largest depth of a part: llvmpipe ends an invocation's loops after 65,535 rounds in all, and
/// long sums lose precision.
const LONGEST: usize = 1 << 14;

/// The depth of the parts into which a product of `depth` is cut, each of `groups` workgroups, so
/// that there are enough of them to keep the adapter busy.
fn length(recording: &Recording, groups: usize, depth: usize) -> usize {
    let [wanted, least] = if recording.adapter().is_software() { [16, 512] } else { [1024, 256] };
    let parts = (wanted / groups).clamp(1, depth.div_ceil(least));
    depth.div_ceil(parts).next_multiple_of(64).min(LONGEST)
}
