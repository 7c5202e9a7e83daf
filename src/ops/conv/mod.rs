//! Two-dimensional convolutions and transposed convolutions, as PyTorch defines them: products of
//! `matmul` whose one side is the patches of a map, loaded from where they lie in it.
//!
//! A map is a matrix of (batch · height · width, channels). Both operations go between a larger map
//! and a smaller: a convolution from the larger to the smaller, a transposed one back, as does the
//! gradient of the other. The weight is a matrix of (channels of the smaller map, kernel · kernel ·
//! channels of the larger), these padded by zeros to a multiple of four: PyTorch's
//! (outputs, inputs, kernel, kernel), or (inputs, outputs, kernel, kernel) of a transposed one, in
//! the order of its dimensions 0, 2, 3, 1.

mod geometry;

use bytemuck::{Pod, Zeroable};

pub use geometry::Geometry;
use geometry::{Patches, Phase};

use super::matmul::{chosen, kernel};
use super::optimizer::Optimizer;
use super::sums::{self, Sum};
use super::{activation, column_sums};
use crate::gpu::{Plan, Tensor};

/// Phases in a dispatch.
const PHASES: usize = 16;

/// y = activation(convolution of x by weight + bias), and `pre`, like y, before the activation.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward(
    plan: &mut Plan,
    label: &str,
    geometry: &Geometry,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    y: &Tensor,
) {
    let tensors = [("left", x), ("right", weight), ("bias", bias), ("pre", pre), ("result", y)];
    gather(plan, label, "conv.forward", geometry, activation, &tensors);
}

/// dx = dy taken back through the convolution, times the slope of the activation at `pre`, which is
/// like x.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn backward_input(
    plan: &mut Plan,
    label: &str,
    geometry: &Geometry,
    dy: &Tensor,
    weight: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    dx: &Tensor,
) {
    let tensors = [("left", dy), ("right", weight), ("pre", pre), ("result", dx)];
    scatter(plan, label, "conv.backward_input", geometry, activation, &tensors);
}

/// y = activation(transposed convolution of x by weight + bias), and `pre`, like y, before the
/// activation.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn transposed_forward(
    plan: &mut Plan,
    label: &str,
    geometry: &Geometry,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    y: &Tensor,
) {
    let tensors = [("left", x), ("right", weight), ("bias", bias), ("pre", pre), ("result", y)];
    scatter(plan, label, "conv_transpose.forward", geometry, activation, &tensors);
}

/// dx = dy taken back through the transposed convolution, times the slope of the activation at
/// `pre`, which is like x.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn transposed_backward_input(
    plan: &mut Plan,
    label: &str,
    geometry: &Geometry,
    dy: &Tensor,
    weight: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    dx: &Tensor,
) {
    let tensors = [("left", dy), ("right", weight), ("pre", pre), ("result", dx)];
    gather(plan, label, "conv_transpose.backward_input", geometry, activation, &tensors);
}

type Tensors<'a> = [(&'a str, &'a Tensor)];

/// What is bound to `left`, `right` and `result`.
fn sides<'a>(label: &str, tensors: &Tensors<'a>) -> [&'a Tensor; 3] {
    let find = |name| tensors.iter().find(|(n, _)| *n == name).expect("every form has it").1;
    let result = find("result");
    assert_eq!(find("pre").stride(), result.stride(), "{label}: layouts differ");
    [find("left"), find("right"), result]
}

/// From the larger map to the smaller.
fn gather(
    plan: &mut Plan,
    label: &str,
    form: &str,
    geometry: &Geometry,
    activation: Option<&str>,
    tensors: &Tensors,
) {
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct Params {
        sizes: [u32; 8],
        patches: Patches,
    }
    let [left, weight, result] = sides(label, tensors);
    geometry.batch(label, result, left, weight);
    let [height, width] = [result.rows(), result.columns()];
    let problem = geometry.problem(form, width, left.columns());
    let variant = chosen(plan.gpu(), plan.choices(), &problem, [height, width]);
    let rows = [weight.stride() / 4, result.stride() / 4];
    let sizes = [height, width, weight.columns(), rows[0], rows[1], 0, 0, 0].map(|n| n as u32);
    let params = Params { sizes, patches: geometry.patches(left) };
    let kernel = kernel(plan.gpu(), form, variant, &[activation::constant(activation)]);
    plan.record_flat(kernel, label, &params, tensors, variant.groups(height, width));
}

/// From the smaller map to the larger.
fn scatter(
    plan: &mut Plan,
    label: &str,
    form: &str,
    geometry: &Geometry,
    activation: Option<&str>,
    tensors: &Tensors,
) {
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct Params {
        sizes: [u32; 12],
        phases: [Phase; PHASES],
    }
    let [left, weight, result] = sides(label, tensors);
    let batch = geometry.batch(label, left, result, weight);
    let Geometry { kernel: taps, stride, large, .. } = *geometry;
    let width = result.columns();
    let problem = geometry.problem(form, left.columns(), width);
    let variant = chosen(plan.gpu(), plan.choices(), &problem, [result.rows(), width]);
    let kernel = kernel(plan.gpu(), form, variant, &[activation::constant(activation)]);
    for phases in geometry.phases(left, batch).chunks(PHASES) {
        let quads = [weight.stride() / 4, result.stride() / 4];
        let pixels = [large.height * large.width, stride * large.width, stride];
        let sizes = [&[width, left.columns()], &quads[..], &[stride * taps, stride], &pixels];
        let sizes = [&sizes.concat()[..], &[phases.len(), 0, 0]].concat();
        let sizes = std::array::from_fn(|i| sizes[i] as u32);
        let mut params = Params { sizes, phases: Zeroable::zeroed() };
        params.phases[..phases.len()].copy_from_slice(phases);
        let groups = phases.iter().map(|phase| variant.groups(phase.height as usize, width)).max();
        let groups = phases.len() * groups.expect("every map has a pixel");
        plan.record_flat(kernel.clone(), label, &params, tensors, groups);
    }
}

/// What the gradients of a convolution's parameters are computed from, both of the plan's own memory.
#[derive(Clone)]
pub struct WeightGradient {
    /// Of the two maps.
    pub geometry: Geometry,
    /// dy of a convolution, x of a transposed one.
    pub small: Tensor,
    /// x of a convolution, dy of a transposed one.
    pub large: Tensor,
    /// Whether it is a transposed one.
    pub transposed: bool,
    /// Only its place counts.
    pub weight: Tensor,
    /// As many as the output has channels; only its place counts.
    pub bias: Tensor,
}

/// Fills `gradients`, laid out as the parameters, with the gradients of `layers`.
pub fn backward_weight(
    plan: &mut Plan,
    label: &str,
    layers: &[WeightGradient],
    gradients: &Tensor,
) {
    let sums: Vec<_> = layers.iter().flat_map(|layer| weight_parts(plan, label, layer)).collect();
    sums::parts(plan, label, &sums, gradients);
}

/// The optimizer's step ([`super::optimizer::step`]) on the parameters of `layers`, without storing
/// their gradients.
pub fn backward_weight_step(
    plan: &mut Plan,
    label: &str,
    layers: &[WeightGradient],
    optimizer: &Optimizer,
    state: &Tensor,
    parameter: &Tensor,
    moments: [&Tensor; 2],
) {
    let sums: Vec<_> = layers.iter().flat_map(|layer| weight_parts(plan, label, layer)).collect();
    sums::parts_step(plan, label, &sums, optimizer, state, parameter, moments);
}

/// Records what gives the gradients of a layer's weight and bias in parts.
fn weight_parts(plan: &mut Plan, label: &str, layer: &WeightGradient) -> [Sum; 2] {
    #[repr(C)]
    #[derive(Clone, Copy, Pod, Zeroable)]
    struct Params {
        sizes: [u32; 8],
        patches: Patches,
    }
    let WeightGradient { geometry, small, large, transposed, weight, bias } = layer;
    geometry.batch(label, small, large, weight);
    let ([depth, height], width) = ([small.rows(), small.columns()], weight.columns());
    let form = "conv.backward_weight";
    let problem = geometry.problem(form, height, large.columns());
    let variant = chosen(plan.gpu(), plan.choices(), &problem, [height, width]);
    let groups = variant.groups(height, width);
    let length = length(plan, groups, depth);
    let count = depth.div_ceil(length);
    let parts = plan.matrix(&[count, weight.extent() + small.stride()]);

    let quads = [small.stride() / 4, weight.stride() / 4];
    let sizes = [height, width, depth, quads[0], quads[1], length, count, groups];
    let params = Params { sizes: sizes.map(|n| n as u32), patches: geometry.patches(large) };
    let kernel = kernel(plan.gpu(), form, variant, &[]);
    let tensors = [("left", small), ("right", large), ("result", &parts)];
    plan.record_flat(kernel, label, &params, &tensors, count * groups);

    let of_bias = match transposed {
        true => {
            Sum { parts: column_sums::parts(plan, label, large), offset: 0, result: bias.clone() }
        }
        false => Sum { parts: parts.clone(), offset: weight.extent(), result: bias.clone() },
    };
    [Sum { parts, offset: 0, result: weight.clone() }, of_bias]
}

/// How long a part may be: llvmpipe runs an invocation's loops for 65,535 rounds in all, and long sums
/// lose digits.
const LONGEST: usize = 1 << 14;

/// How long to make the parts of a product of `depth`, each of `groups` workgroups, so that they keep
/// the adapter busy.
fn length(plan: &Plan, groups: usize, depth: usize) -> usize {
    let [wanted, least] = if plan.gpu().report().is_software() { [16, 512] } else { [1024, 256] };
    let parts = (wanted / groups).clamp(1, depth.div_ceil(least));
    depth.div_ceil(parts).next_multiple_of(64).min(LONGEST)
}
