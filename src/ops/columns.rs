//! A batch of a dataset's column of numbers or classes; [`super::gather`] gives a batch of images.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/columns.wgsl`.
pub const SHADER: Shader = Shader::new("columns");

#[derive(Serialize)]
struct Params {
    count: usize,
    columns: usize,
    stride: usize,
}

/// The order of the examples in an epoch.
pub struct Order<'a> {
    /// A [`super::State`], whose `row` is the position in `indices` at which the batch begins.
    pub state: &'a Tensor,
    /// The examples' indices (count).
    pub indices: &'a Tensor,
}

/// x (rows, n) = the rows of `values`, `f32` (count, n) without padding, at the indices in `order`.
pub fn floats(recording: &mut Recording, label: &str, order: &Order, values: &Tensor, x: &Tensor) {
    assert_eq!(values.columns(), x.columns(), "{label}: columns");
    record(recording, label, "floats", order, ("real", values), x);
}

/// x (rows, n) = the rows of `values`, `u32` (count, n) without padding, at the indices in `order`,
/// as floats: exact up to 2²⁴.
pub fn counts(recording: &mut Recording, label: &str, order: &Order, values: &Tensor, x: &Tensor) {
    assert_eq!(values.columns(), x.columns(), "{label}: columns");
    record(recording, label, "counts", order, ("whole", values), x);
}

/// x (rows, n) = the one-hot vectors of `classes`, `u32` (count), at the indices in `order`; a
/// class that is not below n gives zeros.
pub fn one_hot(
    recording: &mut Recording,
    label: &str,
    order: &Order,
    classes: &Tensor,
    x: &Tensor,
) {
    assert_eq!(classes.columns(), 1, "{label}: columns");
    record(recording, label, "one_hot", order, ("classes", classes), x);
}

fn record(
    recording: &mut Recording,
    label: &str,
    entry: &str,
    order: &Order,
    values: (&str, &Tensor),
    x: &Tensor,
) {
    let Order { state, indices } = *order;
    assert_eq!(values.1.stride(), values.1.columns(), "{label}: values with padding");
    assert_eq!(values.1.rows(), indices.len(), "{label}: examples");
    let params = Params { count: x.extent(), columns: x.columns(), stride: x.stride() };
    let tensors = [("state", state), ("order", indices), values, ("x", x)];
    recording.record_elements(SHADER.kernel(entry, &[]), label, &params, &tensors, x.extent());
}
