//! The gradients of linear layers' weights and biases, of several layers in one dispatch.

use serde::Serialize;

use super::forms::kernel;
use super::{Product, Variant};
use crate::gpu::{Recording, Tensor};
use crate::ops::optimizer::{Coefficients, Update};
use crate::ops::{by_dispatch, can_bind};

/// Largest number of layers in a dispatch.
const TASKS: usize = 16;

/// A linear layer whose parameters' gradients are computed: dweight = dyᵀ · x, dbias = the column
/// sums of dy. Both dy and x must lie in the recording's workspace.
#[derive(Clone)]
pub struct WeightGradient {
    /// Gradient with respect to the pre-activation (batch, outputs).
    pub dy: Tensor,
    /// The layer's input (batch, inputs).
    pub x: Tensor,
    /// The weight (outputs, inputs), whose offset and shape say where its gradient goes; its values
    /// are not read.
    pub weight: Tensor,
    /// The bias (outputs), of which only the offset and the shape are used, too.
    pub bias: Tensor,
}

/// Mirrors the shader struct `Task` of `shaders/product/layers.wgsl`.
#[derive(Serialize)]
struct Task {
    tile: usize,
    height: usize,
    width: usize,
    left: usize,
    right: usize,
    left_row: usize,
    right_row: usize,
    weight: usize,
    result_row: usize,
    bias: usize,
}

/// Mirrors the shader struct `Layers` of `shaders/product/layers.wgsl`.
#[derive(Serialize)]
struct Layers {
    depth: usize,
    count: usize,
    tasks: Vec<Task>,
}

#[derive(Serialize)]
struct Params {
    layers: Layers,
}

#[derive(Serialize)]
struct StepParams {
    optimizer: Coefficients,
    layers: Layers,
}

/// Fills `gradients`, a tensor of the parameters' layout, with the gradients of `layers`.
pub fn backward_weight(
    recording: &mut Recording,
    label: &str,
    layers: &[WeightGradient],
    gradients: &Tensor,
) {
    for layers in bound(recording, layers) {
        let sides = spans(&layers);
        let (variant, layers, groups) = cut(recording, &layers, &sides);
        let kernel = kernel("matmul.backward_weight", variant, &[("TASKS", TASKS as u32)]);
        let tensors = [("left", &sides[0]), ("right", &sides[1]), ("result", gradients)];
        recording.record_flat(kernel, label, &Params { layers }, &tensors, groups);
    }
}

/// Takes the optimizer's step ([`crate::ops::optimizer::step`]) on the parameters of `layers`,
/// without storing their gradients.
pub fn backward_weight_step(
    recording: &mut Recording,
    label: &str,
    layers: &[WeightGradient],
    update: &Update,
) {
    for layers in bound(recording, layers) {
        let sides = spans(&layers);
        let (variant, layers, groups) = cut(recording, &layers, &sides);
        let constants = [&[("TASKS", TASKS as u32)][..], &update.optimizer.constants()].concat();
        let kernel = kernel("matmul.backward_weight_step", variant, &constants);
        let tensors = update.bind(&[("left", &sides[0]), ("right", &sides[1])]);
        let params = StepParams { optimizer: update.optimizer.coefficients(), layers };
        recording.record_flat(kernel, label, &params, &tensors, groups);
    }
}

/// The spans of memory around the dy and around the x of all `layers`, each of which is one
/// binding.
fn spans(layers: &[WeightGradient]) -> [Tensor; 2] {
    [
        Tensor::span(layers.iter().map(|layer| &layer.dy)),
        Tensor::span(layers.iter().map(|layer| &layer.x)),
    ]
}

/// Groups `layers` by dispatch, in as few groups as possible: the layers of a dispatch have one
/// batch size, share buffers and fit the adapter's bindings.
fn bound(recording: &Recording, layers: &[WeightGradient]) -> Vec<Vec<WeightGradient>> {
    let is_alike = |a: &WeightGradient, b: &WeightGradient| {
        let is_same_batch = a.dy.rows() == b.dy.rows();
        is_same_batch && a.dy.shares_buffer(&b.dy) && a.x.shares_buffer(&b.x)
    };
    let fits = |layers: &[WeightGradient]| {
        can_bind(recording, layers.iter().map(|layer| &layer.dy))
            && can_bind(recording, layers.iter().map(|layer| &layer.x))
    };
    by_dispatch(layers, TASKS, is_alike, fits)
}

/// The variant of the largest layer, the tasks of all layers in it, and the number of workgroups.
fn cut(
    recording: &Recording,
    layers: &[WeightGradient],
    [left, right]: &[Tensor; 2],
) -> (Variant, Layers, usize) {
    let sizes = |layer: &WeightGradient| [layer.dy.rows(), layer.x.columns(), layer.dy.columns()];
    let largest = layers.iter().max_by_key(|layer| layer.weight.len()).expect("a layer");
    let sizes_of_largest = sizes(largest);
    let product = Product::BackwardWeight;
    let variant = product.variant(recording.adapter(), recording.choices(), sizes_of_largest);

    let depth = sizes_of_largest[0];
    let quads = |elements: usize| {
        assert!(elements.is_multiple_of(4), "matrices must be padded");
        elements / 4
    };
    let mut groups = 0;
    let task = |layer: &WeightGradient| {
        let WeightGradient { dy, x, weight, bias } = layer;
        assert_eq!([dy.rows(), x.rows()], [depth; 2], "one batch for all layers");
        let [_, inputs, outputs] = sizes(layer);
        let tile = groups * variant.tiles();
        groups += variant.groups(outputs, inputs);
        Task {
            tile,
            height: outputs,
            width: inputs,
            left: quads(dy.offset() - left.offset()),
            right: quads(x.offset() - right.offset()),
            left_row: quads(dy.stride()),
            right_row: quads(x.stride()),
            weight: quads(weight.offset()),
            result_row: quads(weight.stride()),
            bias: quads(bias.offset()),
        }
    };
    let tasks = layers.iter().map(task).collect();
    (variant, Layers { depth, count: layers.len(), tasks }, groups)
}
