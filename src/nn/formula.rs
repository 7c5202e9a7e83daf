//! Values computed by formulas: element by element, or as sums of each row.

use std::ops::Range;

use super::{Graph, Output, Shape, ValueId};
use crate::gpu::Tensor;
use crate::ops::expression::{self, Expression, Formula, Operand};

/// An argument of an expression.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Every element of a value. With fewer rows than the other arguments, each of its rows goes for several
    /// successive ones: an example's features for all of its samples.
    All(ValueId),
    /// Some columns of a value, so that means and log-variances may lie side by side.
    Columns(ValueId, Range<usize>),
    /// The one value of each row (rows, 1), for all elements of the row.
    PerRow(ValueId),
    /// One parameter of shape \[1\] for everything, as [`Graph::parameters`] gives it out.
    Parameter(Tensor),
}

impl From<ValueId> for Argument {
    fn from(id: ValueId) -> Self {
        Self::All(id)
    }
}

impl Argument {
    fn value(&self) -> Option<ValueId> {
        match self {
            Self::All(id) | Self::Columns(id, _) | Self::PerRow(id) => Some(*id),
            Self::Parameter(_) => None,
        }
    }
}

impl Graph<'_> {
    /// The value of `expression` for every element of the arguments, which are in its order. Panics unless
    /// one of them has columns, of which all have as many, and the most rows are a multiple of the others'.
    pub fn map(
        &mut self,
        label: &str,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> ValueId {
        let (shape, rows) = self.extent(label, arguments);
        let formula = self.formula(expression, numbers, arguments);
        let y = Output::plain(shape, rows, self.allocate(shape, rows));
        expression::forward(self.recording, label, &formula, &y.y);
        self.push_formula(label, formula, arguments, y, Operand::all)
    }

    /// The sums (rows, 1) of `expression` over all elements of each row of the arguments; where it is a
    /// negative log-likelihood or a divergence, the nats of each row. Panics as [`Graph::map`].
    pub fn row_sums(
        &mut self,
        label: &str,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> ValueId {
        let (shape, (_, rows)) = (Shape::Features(1), self.extent(label, arguments));
        let formula = self.formula(expression, numbers, arguments);
        let sums = Output::plain(shape, rows, self.allocate(shape, rows));
        expression::sums(self.recording, label, &formula, &sums.y);
        self.push_formula(label, formula, arguments, sums, Operand::row)
    }

    /// Shape and rows of the arguments that have columns; some may have fewer rows.
    fn extent(&self, label: &str, arguments: &[Argument]) -> (Shape, usize) {
        let extents = arguments.iter().filter_map(|argument| match argument {
            Argument::All(id) => Some((self.shape(*id), self.rows(*id))),
            Argument::Columns(id, columns) => {
                let shape = match self.shape(*id) {
                    Shape::Features(_) => Shape::Features(columns.len()),
                    Shape::Map { extent, .. } => Shape::Map { channels: columns.len(), extent },
                };
                Some((shape, self.rows(*id)))
            }
            _ => None,
        });
        let all: Vec<_> = extents.collect();
        let most = all.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let (shape, rows) =
            most.unwrap_or_else(|| panic!("{label}: no argument of a formula has columns"));
        // An example of a map has several rows, which would have to go for its samples in turn.
        let is_map = matches!(shape, Shape::Map { .. });
        let is_alike = all.iter().all(|(_, other)| *other == rows);
        assert!(is_alike || !is_map, "{label}: maps for samples of which there are more");
        (shape, rows)
    }

    fn formula(
        &mut self,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> Formula {
        let mut operands: Vec<Operand> = Vec::new();
        for argument in arguments {
            let tensor = argument.value().map(|id| self.apart(id, argument, arguments, &operands));
            operands.push(match (argument, tensor) {
                (Argument::All(_), Some(tensor)) => Operand::all(&tensor),
                (Argument::Columns(_, columns), Some(tensor)) => {
                    Operand::columns(&tensor, columns.clone())
                }
                (Argument::PerRow(_), Some(tensor)) => Operand::row(&tensor),
                (Argument::Parameter(parameter), _) => Operand::scalar(parameter),
                (_, None) => unreachable!("all others are values"),
            });
        }
        Formula { expression: *expression, numbers: numbers.to_vec(), operands }
    }

    /// The tensor of `id`, or a copy of it where an argument before has the same and the gradients are to
    /// be told apart: that by a detached value, or by the values of rows.
    fn apart(
        &mut self,
        id: ValueId,
        argument: &Argument,
        arguments: &[Argument],
        operands: &[Operand],
    ) -> Tensor {
        let (tensor, is_row) = (self.tensor(id), matches!(argument, Argument::PerRow(_)));
        let is_other = |other: &Argument| {
            other.value() != Some(id) || matches!(other, Argument::PerRow(_)) != is_row
        };
        let mut before = arguments.iter().zip(operands);
        if !before.any(|(other, operand)| operand.tensor.is_same(&tensor) && is_other(other)) {
            return tensor;
        }
        self.copy("copy", id, &tensor)
    }

    fn push_formula(
        &mut self,
        label: &str,
        formula: Formula,
        arguments: &[Argument],
        output: Output,
        gradient_of: fn(&Tensor) -> Operand,
    ) -> ValueId {
        let inputs: Vec<_> = arguments.iter().filter_map(Argument::value).collect();
        let parameters: Vec<_> = arguments
            .iter()
            .filter_map(|argument| match argument {
                Argument::Parameter(parameter) => Some(parameter.clone()),
                _ => None,
            })
            .collect();
        let arguments = arguments.to_vec();
        self.push(label, &inputs, &parameters, output, move |back, gradient| {
            let gradient = gradient_of(gradient);
            let mut done: Vec<&Tensor> = Vec::new();
            for (argument, Operand { tensor, .. }) in arguments.iter().zip(&formula.operands) {
                // The gradients by several parts of a value are one tensor.
                if done.iter().any(|other| other.is_same(tensor)) {
                    continue;
                }
                done.push(tensor);
                let id = argument.value();
                if id.is_some_and(|id| !back.wants(id)) {
                    continue;
                }
                let dx = match id {
                    Some(id) => back.allocate(id),
                    None => back.direct(tensor),
                };
                let (recording, label) = back.recorder();
                expression::backward(recording, label, &formula, &gradient, tensor, &dx);
                if let Some(id) = id {
                    back.pass(id, dx);
                }
            }
        })
    }
}
