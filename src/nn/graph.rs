//! A model while it is recorded: its values, and for each of them its backward pass.
//!
//! Whatever computes a value records its dispatches at once and leaves a closure that records its
//! backward pass. A sweep ([`Graph::backward`]) calls these closures from the last to the first. Afterwards
//! there are only dispatches: nothing of the graph is left when the recording is replayed.

use std::collections::HashMap;

use super::{Backward, Parameters, Shape, Weights};
use crate::gpu::{Recording, Tensor};
use crate::ops::activation::{Activation, Origin};

/// One of the values of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueId(pub(super) usize);

/// What is known of a value.
pub(super) struct Value {
    shape: Shape,
    rows: usize,
    /// Its memory until it is released.
    pub tensor: Option<Tensor>,
    /// The activation that it came out of, with what that activation's slope is read at.
    pub origin: Option<(Activation, Tensor)>,
    /// Whether it depends on a parameter or a variable.
    pub needs_gradient: bool,
}

/// Records, from the gradient by a step's output, the gradients by its inputs and its parameters.
type BackwardFn = Box<dyn Fn(&mut Backward, &Tensor)>;

/// How one value came about.
pub(super) struct Step {
    pub label: String,
    pub output: ValueId,
    pub inputs: Vec<ValueId>,
    /// Offsets in their arena of the parameters that it uses, and how often each had been updated.
    pub parameters: Vec<(usize, u32)>,
    /// Records what the gradient by `output` makes of the gradients by `inputs` and the parameters.
    pub backward: BackwardFn,
}

/// What the random draws of a training step depend on.
#[derive(Clone, Copy)]
pub struct Draws<'a> {
    /// The run's seed.
    pub seed: u64,
    /// One [`crate::ops::State`], for the step.
    pub state: &'a Tensor,
}

/// A model while it is recorded.
pub struct Graph<'a> {
    /// What the dispatches are recorded into.
    pub recording: &'a mut Recording,
    weights: &'a Weights,
    training: Option<Draws<'a>>,
    pub(super) values: Vec<Value>,
    pub(super) steps: Vec<Step>,
    /// How often each parameter has been updated so far, by its offset; 0 where it is missing.
    pub(super) updates: HashMap<usize, u32>,
    /// Parameters that were asked for since the last value.
    asked: Vec<usize>,
    /// Masks drawn so far.
    masks: u32,
}

/// Where a layer with an activation writes its result.
pub struct Output {
    /// The pre-activation.
    pub pre: Tensor,
    /// The activation of `pre`.
    pub y: Tensor,
    shape: Shape,
    activation: Option<Activation>,
}

impl Output {
    /// The same output of a pre-activation that exists already.
    pub(super) fn of(self, pre: Tensor) -> Self {
        Self { pre, ..self }
    }
}

impl<'a> Graph<'a> {
    /// A graph over a model's `weights`: for training, whose layers draw from `training`, or for use
    /// without one.
    pub fn new(
        recording: &'a mut Recording,
        weights: &'a Weights,
        training: Option<Draws<'a>>,
    ) -> Self {
        let (values, steps, asked) = (Vec::new(), Vec::new(), Vec::new());
        let updates = HashMap::new();
        let masks = 0;
        Self { recording, weights, training, values, steps, updates, asked, masks }
    }

    /// What layers draw from in training; nothing outside of it.
    pub fn training(&self) -> Option<Draws<'a>> {
        self.training
    }

    /// A number that keeps the next mask's draws apart from those of the masks before it in the step.
    pub fn next_mask(&mut self) -> u32 {
        self.masks += 1;
        self.masks - 1
    }

    /// A value that is given: no gradient flows into it.
    pub fn input(&mut self, shape: Shape, rows: usize, tensor: Tensor) -> ValueId {
        self.new_value(shape, rows, tensor, None, false)
    }

    /// A value that is given, whose gradient a sweep can be asked for.
    pub fn variable(&mut self, shape: Shape, rows: usize, tensor: Tensor) -> ValueId {
        self.new_value(shape, rows, tensor, None, true)
    }

    /// The same value, through which no gradient flows.
    pub fn detach(&mut self, x: ValueId) -> ValueId {
        let (shape, rows, tensor) = (self.shape(x), self.rows(x), self.tensor(x));
        self.input(shape, rows, tensor)
    }

    /// Shape of each row's values.
    pub fn shape(&self, x: ValueId) -> Shape {
        self.values[x.0].shape
    }

    /// Rows: the examples of a batch, or several for each.
    pub fn rows(&self, x: ValueId) -> usize {
        self.values[x.0].rows
    }

    /// The value's memory, laid out as its [`Shape`] says. Panics once it is released.
    pub fn tensor(&self, x: ValueId) -> Tensor {
        self.values[x.0].tensor.clone().expect("a value that was released is used")
    }

    /// The pre-activation, and the activation that the value came out of; the value itself where there
    /// is none. A loss takes these, to lose no digits. Panics where the pre-activation is not kept.
    pub(crate) fn pre(&self, x: ValueId) -> (Tensor, Option<Activation>) {
        match &self.values[x.0].origin {
            None => (self.tensor(x), None),
            Some((activation, pre)) => {
                assert!(!activation.has_slope_of_output(), "the pre-activation is not kept");
                (pre.clone(), Some(*activation))
            }
        }
    }

    /// Lets go of a value that nothing will be computed from any more; what the backward pass needs of it
    /// is kept by those who need it.
    pub fn release(&mut self, x: ValueId) {
        self.values[x.0].tensor = None;
    }

    /// Memory for `rows` of `shape`.
    pub fn allocate(&self, shape: Shape, rows: usize) -> Tensor {
        shape.tensor(self.recording, rows)
    }

    /// Memory for what comes out of `activation`, as many rows as `x` has.
    pub fn output(&self, x: ValueId, shape: Shape, activation: Option<Activation>) -> Output {
        let [pre, y] = [(); 2].map(|()| self.allocate(shape, self.rows(x)));
        Output { pre, y, shape, activation }
    }

    /// The parameters called `names` of the layer `label`; panics if one is missing. They count as used
    /// by the value that is pushed next.
    pub fn parameters<const N: usize>(&mut self, label: &str, names: [&str; N]) -> [Tensor; N] {
        let tensors = self.weights.parameters.expect(label, names);
        self.asked.extend(tensors.iter().map(Tensor::offset));
        tensors
    }

    /// What the layer `label` keeps beside its parameters under `names`; panics if one is missing.
    pub fn statistics<const N: usize>(&self, label: &str, names: [&str; N]) -> [Tensor; N] {
        self.weights.statistics.expect(label, names)
    }

    /// Adds the value that was just recorded into `output`, and its backward pass: `backward` is given the
    /// gradient by the pre-activation.
    pub fn push_activated(
        &mut self,
        label: &str,
        inputs: &[ValueId],
        Output { pre, y, shape, activation }: Output,
        backward: impl Fn(&mut Backward, &Tensor) + 'static,
    ) -> ValueId {
        let origin = activation.map(|activation| {
            (activation, if activation.has_slope_of_output() { y.clone() } else { pre })
        });
        self.push_step(label, inputs, (shape, self.rows(inputs[0]), y, origin), Box::new(backward))
    }

    /// Adds `tensor`, `rows` of `shape`, which was just recorded from `inputs`, and its backward pass.
    pub fn push(
        &mut self,
        label: &str,
        inputs: &[ValueId],
        (shape, rows, tensor): (Shape, usize, Tensor),
        backward: impl Fn(&mut Backward, &Tensor) + 'static,
    ) -> ValueId {
        self.push_step(label, inputs, (shape, rows, tensor, None), Box::new(backward))
    }

    fn push_step(
        &mut self,
        label: &str,
        inputs: &[ValueId],
        (shape, rows, tensor, origin): (Shape, usize, Tensor, Option<(Activation, Tensor)>),
        backward: BackwardFn,
    ) -> ValueId {
        let parameters = std::mem::take(&mut self.asked);
        let depends =
            !parameters.is_empty() || inputs.iter().any(|x| self.values[x.0].needs_gradient);
        let needs_gradient = self.training.is_some() && depends;
        let origin = origin.filter(|_| needs_gradient);
        let output = self.new_value(shape, rows, tensor, origin, needs_gradient);
        if needs_gradient {
            let (label, inputs) = (label.into(), inputs.to_vec());
            let parameters = parameters.into_iter().map(|p| (p, self.updates_of(p))).collect();
            self.steps.push(Step { label, output, inputs, parameters, backward });
        }
        output
    }

    fn new_value(
        &mut self,
        shape: Shape,
        rows: usize,
        tensor: Tensor,
        origin: Option<(Activation, Tensor)>,
        needs_gradient: bool,
    ) -> ValueId {
        let tensor = Some(tensor);
        self.values.push(Value { shape, rows, tensor, origin, needs_gradient });
        ValueId(self.values.len() - 1)
    }

    /// What the gradient by `x` is to be multiplied by.
    pub(super) fn origin_of(&self, x: ValueId) -> Origin {
        match &self.values[x.0].origin {
            Some((activation, pre)) => Origin { activation: Some(*activation), pre: pre.clone() },
            None => Origin { activation: None, pre: self.recording.vector(4) },
        }
    }

    /// How often the parameter at `offset` has been updated so far.
    pub(super) fn updates_of(&self, offset: usize) -> u32 {
        self.updates.get(&offset).copied().unwrap_or(0)
    }

    /// Every parameter that there is.
    pub(crate) fn all_parameters(&self) -> &'a Parameters {
        &self.weights.parameters
    }
}
