//! The condition of a conditional model: how it comes beside images and latent variables.

use super::blocks::{Port, input};
use super::{Batch, Network};
use crate::config::Condition;
use crate::error::{Error, Result};
use crate::gpu::Tensor;
use crate::nn::{Graph, Layer, Shape, ValueId};

/// Name of the layer that classes become values by.
pub const CONDITION: &str = "condition";

/// The classes of some rows of a conditional model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Classes<'a> {
    /// Row i is of class i modulo their number: all classes by turns.
    #[default]
    Turns,
    /// All rows are of one class, by its index.
    One(u32),
    /// The index of each row's class.
    Each(&'a [u32]),
}

impl Classes<'_> {
    /// The class of row `row` among `count` classes.
    pub(super) fn of(self, row: usize, count: usize) -> usize {
        match self {
            Self::Turns => row % count,
            Self::One(class) => class as usize,
            Self::Each(classes) => classes[row] as usize,
        }
    }

    /// Fails unless `rows` rows have one of `condition`'s classes each.
    pub(super) fn check(self, rows: usize, condition: &Condition) -> Result<()> {
        let count = condition.classes.len() as u32;
        let given: &[u32] = match &self {
            Self::Turns => &[],
            Self::One(class) => std::slice::from_ref(class),
            Self::Each(classes) => classes,
        };
        if let Self::Each(classes) = self
            && classes.len() != rows
        {
            return Err(Error::Input(format!("{} classes for {rows} rows", classes.len())));
        }
        match given.iter().find(|class| **class >= count) {
            Some(class) => Err(Error::Input(format!(
                "there is no class number {class}; the model has {count}, numbered from 0"
            ))),
            None => Ok(()),
        }
    }
}

/// `rows` rows from number `first` on, one-hot (rows, count).
pub(super) fn one_hot(classes: Classes, first: usize, rows: usize, count: usize) -> Vec<f32> {
    let mut values = vec![0.0; rows * count];
    for row in 0..rows {
        values[row * count + classes.of(first + row, count)] = 1.0;
    }
    values
}

impl Network {
    /// The condition, if there is one.
    pub fn condition(&self) -> Option<&Condition> {
        self.config().condition.as_ref()
    }

    /// Shape of an example's one-hot class.
    pub(super) fn class_shape(&self) -> Option<Shape> {
        self.condition().map(|condition| Shape::Features(condition.classes.len()))
    }

    /// The condition of `batch` (rows, values).
    pub(super) fn batch_condition(&self, graph: &mut Graph, batch: &Batch) -> Option<ValueId> {
        let (shape, classes) = self.class_shape().zip(batch.classes.clone())?;
        let classes = graph.input(shape, batch.rows, classes);
        Some(self.embedded(graph, classes))
    }

    /// The condition of `rows` rows whose classes are to be written, which join `inputs`.
    pub(super) fn given_condition(
        &self,
        graph: &mut Graph,
        inputs: &mut Vec<(Port, Tensor)>,
        rows: usize,
    ) -> Option<ValueId> {
        let shape = self.class_shape()?;
        let classes = input(graph, inputs, Port::Classes(shape.values()), (shape, rows));
        Some(self.embedded(graph, classes))
    }

    /// The values of one-hot classes (rows, classes).
    fn embedded(&self, graph: &mut Graph, classes: ValueId) -> ValueId {
        match &self.embedding {
            Some(layer) => layer.apply(graph, CONDITION, &[classes]),
            None => classes,
        }
    }

    /// x with the condition beside it, for the first layer of `label`.
    pub(super) fn beside(
        &self,
        graph: &mut Graph,
        label: &str,
        x: ValueId,
        condition: Option<ValueId>,
    ) -> ValueId {
        condition.map_or(x, |condition| graph.concat(label, x, condition))
    }
}
