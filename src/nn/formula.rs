//! Values computed by formulas: element by element, or as sums of each row.

use std::ops::Range;

use super::{Graph, Shape, ValueId};
use crate::gpu::Tensor;
use crate::ops::activate;
use crate::ops::expression::{self, Expression, Formula, Operand};

/// What an expression is of.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Every element of a value.
    All(ValueId),
    /// Some columns of a value, so that means and log-variances may lie side by side.
    Columns(ValueId, Range<usize>),
    /// The one value of each row (rows, 1), for all elements of the row.
    Row(ValueId),
    /// One parameter of shape [1] for everything, as [`Graph::parameters`] gives it out.
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
            Self::All(id) | Self::Columns(id, _) | Self::Row(id) => Some(*id),
            Self::Parameter(_) => None,
        }
    }
}

impl Graph<'_> {
    /// The value of `expression` for every element of the arguments, which are in its order.
    pub fn each(
        &mut self,
        label: &str,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> ValueId {
        let shape = arguments.iter().find_map(|argument| match argument {
            Argument::All(id) => Some(self.shape(*id)),
            Argument::Columns(_, columns) => Some(Shape::Features(columns.len())),
            _ => None,
        });
        let shape = shape.expect("one argument has columns");
        let formula = self.formula(expression, numbers, arguments);
        let rows = self.rows_of(arguments);
        let y = self.allocate(shape, rows);
        expression::forward(self.recording, label, &formula, &y);
        self.push_formula(label, formula, arguments, (shape, rows, y), Operand::all)
    }

    /// The sums (rows, 1) of `expression` over all elements of each row of the arguments; where it is a
    /// negative log-likelihood or a divergence, the nats of each row.
    pub fn sums(
        &mut self,
        label: &str,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> ValueId {
        let (shape, rows) = (Shape::Features(1), self.rows_of(arguments));
        let formula = self.formula(expression, numbers, arguments);
        let sums = self.allocate(shape, rows);
        expression::sums(self.recording, label, &formula, &sums);
        self.push_formula(label, formula, arguments, (shape, rows, sums), Operand::row)
    }

    fn rows_of(&self, arguments: &[Argument]) -> usize {
        let first = arguments.iter().find_map(Argument::value).expect("one argument is a value");
        self.rows(first)
    }

    fn formula(
        &mut self,
        expression: &Expression,
        numbers: &[f64],
        arguments: &[Argument],
    ) -> Formula {
        let mut operands: Vec<Operand> = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            let operand = match argument {
                Argument::Parameter(parameter) => Operand::scalar(parameter),
                Argument::All(id) => Operand::all(&self.apart(*id, &arguments[..i], &operands)),
                Argument::Columns(id, columns) => {
                    let tensor = self.apart(*id, &arguments[..i], &operands);
                    Operand::columns(&tensor, columns.clone())
                }
                Argument::Row(id) => Operand::row(&self.apart(*id, &arguments[..i], &operands)),
            };
            operands.push(operand);
        }
        Formula { expression: *expression, numbers: numbers.to_vec(), operands }
    }

    /// The tensor of `id`, or a copy of it where another of `arguments` has the same, as a detached value
    /// has: a gradient by the one is none by the other.
    fn apart(&mut self, id: ValueId, arguments: &[Argument], operands: &[Operand]) -> Tensor {
        let tensor = self.tensor(id);
        let mut before = arguments.iter().zip(operands);
        if !before.any(|(a, o)| a.value() != Some(id) && o.tensor.is_same(&tensor)) {
            return tensor;
        }
        let copy = self.allocate(self.shape(id), self.rows(id));
        activate::forward(self.recording, "copy", &tensor, None, &copy);
        copy
    }

    fn push_formula(
        &mut self,
        label: &str,
        formula: Formula,
        arguments: &[Argument],
        value: (Shape, usize, Tensor),
        gradient_of: fn(&Tensor) -> Operand,
    ) -> ValueId {
        let inputs: Vec<_> = arguments.iter().filter_map(Argument::value).collect();
        let (name, arguments) = (label.to_string(), arguments.to_vec());
        self.push(label, &inputs, value, move |back, gradient| {
            let gradient = gradient_of(gradient);
            let mut done: Vec<&Tensor> = Vec::new();
            for (argument, Operand { tensor, .. }) in arguments.iter().zip(&formula.operands) {
                // The gradients by several parts of a value are one tensor.
                if done.iter().any(|other| other.is_same(tensor)) {
                    continue;
                }
                done.push(tensor);
                match argument.value() {
                    Some(id) if back.wants(id) => {
                        let dx = back.allocate(id);
                        let recording = back.recording();
                        expression::backward(recording, &name, &formula, &gradient, tensor, &dx);
                        back.pass(id, dx);
                    }
                    Some(_) => {}
                    None => {
                        let dx = back.direct(tensor);
                        let recording = back.recording();
                        expression::backward(recording, &name, &formula, &gradient, tensor, &dx);
                    }
                }
            }
        })
    }
}
