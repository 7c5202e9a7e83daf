//! A computation of a formula: its extent, its parameters and its dispatch.

use serde::Serialize;

use super::{Expression, Formula, Operand, Part};
use crate::gpu::{Recording, Tensor};

/// Largest number of numbers, which is the size of the shader's array.
const NUMBERS: usize = 4;
/// Largest number of operands, the gradient included, which is the size of the shader's array.
const PLACES: usize = 8;
/// Largest number of tensors: WebGPU's 8 storage buffers without the result.
const TENSORS: usize = 7;

#[derive(Default, Serialize)]
struct Place {
    row: usize,
    first: usize,
    span: usize,
}

#[derive(Serialize)]
struct Params {
    rows: usize,
    columns: usize,
    width: usize,
    stride: usize,
    sums: usize,
    span: usize,
    numbers: [f32; NUMBERS],
    places: Vec<Place>,
}

/// A computation of a formula: its value, or, with [`backward`]'s `gradient` and `of` in `by`, the
/// gradient with respect to `of`.
pub(super) struct Task<'a> {
    pub formula: &'a Formula,
    pub by: Option<(&'a Operand, &'a Tensor)>,
}

impl Task<'_> {
    /// The formula's operands and the gradient.
    pub fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.formula.operands.iter().chain(self.by.map(|(gradient, _)| gradient))
    }

    /// Indices of the operands that are parts of the tensor with respect to which the gradient is
    /// taken.
    pub fn by(&self) -> impl Iterator<Item = usize> {
        let operands = self.formula.operands.iter().enumerate();
        let of = self.by.map(|(_, of)| of);
        operands.filter(move |(_, o)| of.is_some_and(|of| o.tensor.is_same(of))).map(|(i, _)| i)
    }

    /// Rows and columns of the values: those of the operands with columns, of which some may have fewer
    /// rows.
    pub fn extent(&self, label: &str) -> [usize; 2] {
        let extents = self.operands().filter_map(|operand| match &operand.part {
            Part::Columns(columns) => Some([operand.tensor.rows(), columns.len()]),
            _ => None,
        });
        let extent = extents.reduce(|a, b| if b[0] > a[0] { b } else { a });
        extent.unwrap_or_else(|| panic!("{label}: no operand has columns"))
    }

    /// Whether each row of an operand with columns goes for several rows of the values.
    pub fn is_spread(&self, operand: &Operand) -> bool {
        let is_columns = matches!(operand.part, Part::Columns(_));
        is_columns && operand.tensor.rows() < self.extent("")[0]
    }

    pub fn each(
        &self,
        recording: &mut Recording,
        label: &str,
        extent: [usize; 2],
        result: &Tensor,
    ) {
        let mut params = self.params(label, extent, result);
        // The gradient by an operand with fewer rows is a sum over those that each goes for.
        (params.rows, params.span) = (result.rows(), extent[0] / result.rows());
        let kernel = self.shader().kernel("each", self.formula.expression.constants);
        let names = self.bound(result);
        let tensors: Vec<_> = names.iter().map(|(name, tensor)| (&name[..], *tensor)).collect();
        recording.record_elements(kernel, label, &params, &tensors, result.extent());
    }

    pub fn sums(
        &self,
        recording: &mut Recording,
        label: &str,
        extent: [usize; 2],
        span: usize,
        result: &Tensor,
    ) {
        assert_eq!(result.columns(), 1, "{label}: columns of sums");
        let params = Params { sums: result.rows(), span, ..self.params(label, extent, result) };
        let kernel = self.shader().kernel("sums", self.formula.expression.constants);
        let names = self.bound(result);
        let tensors: Vec<_> = names.iter().map(|(name, tensor)| (&name[..], *tensor)).collect();
        recording.record_flat(kernel, label, &params, &tensors, result.rows());
    }

    fn params(&self, label: &str, extent: [usize; 2], result: &Tensor) -> Params {
        let Formula { expression, numbers, operands } = self.formula;
        let Expression { name, slopes, .. } = expression;
        let given = [numbers.len(), operands.len(), slopes.len()];
        let wanted = [expression.numbers, expression.operands, expression.operands].map(<[_]>::len);
        assert_eq!(given, wanted, "{label}: numbers, operands and slopes of {name}");
        assert!(numbers.len() <= NUMBERS, "{label}: numbers");
        assert!(self.operands().count() <= PLACES, "{label}: operands");
        assert!(self.bound(result).len() <= TENSORS + 1, "{label}: tensors");
        let number = |i: usize| numbers.get(i).map_or(0.0, |number| *number as f32);
        Params {
            rows: extent[0],
            columns: extent[1],
            width: result.columns(),
            stride: result.stride(),
            sums: 0,
            span: 0,
            numbers: std::array::from_fn(number),
            places: self.operands().map(|operand| operand.place(label, extent)).collect(),
        }
    }
}

impl Operand {
    /// The position of its values in its tensor; panics unless they fit (rows, columns).
    fn place(&self, label: &str, [rows, columns]: [usize; 2]) -> Place {
        let Self { tensor, part } = self;
        let row = tensor.stride();
        match part {
            Part::Columns(range) => {
                let span = rows / tensor.rows();
                let shape = [span * tensor.rows(), range.len()];
                assert_eq!(shape, [rows, columns], "{label}: shapes differ");
                assert!(range.end <= tensor.columns(), "{label}: columns {range:?}");
                Place { row, first: range.start, span }
            }
            Part::Row => {
                let span = rows / tensor.rows();
                let shape = [span * tensor.rows(), tensor.columns()];
                assert_eq!(shape, [rows, 1], "{label}: rows of a value each");
                Place { row, first: 0, span }
            }
            Part::Scalar => {
                assert_eq!(tensor.len(), 1, "{label}: one value");
                Place::default()
            }
        }
    }
}
