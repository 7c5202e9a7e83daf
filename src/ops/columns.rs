//! A batch of a dataset's column of numbers or classes; [`super::gather`] gives a batch of images.

use std::ops::Range;

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/columns.wgsl`.
pub const SHADER: Shader = Shader::new("columns");

#[derive(Serialize)]
struct Params {
    count: usize,
    columns: usize,
    stride: usize,
    mask: u32,
    first: usize,
    held: usize,
}

/// The order of the examples in an epoch, and the examples that a tensor holds.
#[derive(Clone)]
pub struct Order<'a> {
    /// A [`super::State`], whose `row` is the position in the epoch at which the batch begins.
    pub state: &'a Tensor,
    /// The examples' indices (count) by the position in the epoch; the position modulo their number
    /// if `is_ring`, which is a power of two then.
    pub indices: &'a Tensor,
    /// Whether `indices` is a ring.
    pub is_ring: bool,
    /// The indices of the examples that the values are of, in their order; rows of other examples are
    /// left as they are.
    pub held: Range<usize>,
}

impl<'a> Order<'a> {
    /// The order of values that are of all examples at `indices`.
    pub fn of_all(state: &'a Tensor, indices: &'a Tensor) -> Self {
        Self { state, indices, is_ring: false, held: 0..indices.len() }
    }

    /// The mask of positions: all ones where `indices` is no ring.
    pub(super) fn mask(&self) -> u32 {
        let len = self.indices.len();
        assert!(!self.is_ring || len.is_power_of_two(), "a ring of {len} examples");
        if self.is_ring { len as u32 - 1 } else { u32::MAX }
    }
}

/// x (rows, n) = the rows of `values`, `f32` (held, n) without padding, at the indices in `order`.
pub fn floats(recording: &mut Recording, label: &str, order: &Order, values: &Tensor, x: &Tensor) {
    assert_eq!(values.columns(), x.columns(), "{label}: columns");
    record(recording, label, "floats", order, ("real", values), x);
}

/// x (rows, n) = the rows of `values`, `u32` (held, n) without padding, at the indices in `order`,
/// as floats: exact up to 2²⁴.
pub fn counts(recording: &mut Recording, label: &str, order: &Order, values: &Tensor, x: &Tensor) {
    assert_eq!(values.columns(), x.columns(), "{label}: columns");
    record(recording, label, "counts", order, ("whole", values), x);
}

/// x (rows, n) = the one-hot vectors of `classes`, `u32` (held), at the indices in `order`; a
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
    let Order { state, indices, ref held, .. } = *order;
    assert_eq!(values.1.stride(), values.1.columns(), "{label}: values with padding");
    assert_eq!(values.1.rows(), held.len(), "{label}: examples");
    let params = Params {
        count: x.extent(),
        columns: x.columns(),
        stride: x.stride(),
        mask: order.mask(),
        first: held.start,
        held: held.len(),
    };
    let tensors = [("state", state), ("order", indices), values, ("x", x)];
    recording.record_elements(SHADER.kernel(entry, &[]), label, &params, &tensors, x.extent());
}
