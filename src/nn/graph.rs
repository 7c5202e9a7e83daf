//! A model while it is recorded: its values, and for each of them its backward pass.
//!
//! Whatever computes a value records its dispatches at once and leaves a closure that records its
//! backward pass. A sweep ([`Graph::backward`]) calls these closures from the last to the first. Afterwards
//! there are only dispatches: nothing of the graph is left when the recording is replayed.

use std::collections::{BTreeSet, HashMap};

use super::{Backward, Parameters, Shape, Weights};
use crate::gpu::{Recording, Tensor};
use crate::ops::activate;
use crate::ops::activation::{Activation, Origin};

/// One of the values of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueId(pub(super) usize);

/// Shape, memory and origin of a value.
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
pub(super) struct Node {
    pub label: String,
    pub output: ValueId,
    pub inputs: Vec<ValueId>,
    /// Offsets in their arena of the parameters that it uses, and how often each had been updated.
    pub parameters: Vec<(usize, u32)>,
    /// Records what the gradient by `output` makes of the gradients by `inputs` and the parameters.
    pub backward: BackwardFn,
}

/// The seed and the step that the random draws of a training step depend on.
#[derive(Clone, Copy)]
pub struct Draws<'a> {
    /// The run's seed.
    pub seed: u64,
    /// One [`crate::ops::State`], for the step.
    pub state: &'a Tensor,
}

/// A model while it is recorded.
pub struct Graph<'a> {
    /// The recording that dispatches are added to.
    pub recording: &'a mut Recording,
    weights: &'a Weights,
    training: Option<Draws<'a>>,
    pub(super) values: Vec<Value>,
    pub(super) steps: Vec<Node>,
    /// How often each parameter has been updated so far, by its offset; 0 where it is missing.
    pub(super) updates: HashMap<usize, u32>,
    /// Masks drawn so far.
    masks: u32,
}

/// Where a value is computed.
pub struct Output {
    /// The pre-activation; the same as `y` where there is no activation.
    pub pre: Tensor,
    /// The activation of `pre`.
    pub y: Tensor,
    pub(super) shape: Shape,
    pub(super) rows: usize,
    pub(super) activation: Option<Activation>,
}

impl Output {
    /// `rows` of `shape` in `y`, which comes out of no activation.
    pub fn plain(shape: Shape, rows: usize, y: Tensor) -> Self {
        Self { pre: y.clone(), y, shape, rows, activation: None }
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
        let (values, steps) = (Vec::new(), Vec::new());
        let updates = HashMap::new();
        let masks = 0;
        Self { recording, weights, training, values, steps, updates, masks }
    }

    /// The seed and step for the draws of layers in training; `None` outside of it.
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

    /// The pre-activation of x with the activation that x came out of, from which a loss loses no digits; x
    /// itself where there is none, or where its pre-activation is not kept.
    pub(crate) fn pre(&self, x: ValueId) -> (Tensor, Option<Activation>) {
        match &self.values[x.0].origin {
            Some((activation, pre)) if !activation.has_slope_of_output() => {
                (pre.clone(), Some(*activation))
            }
            _ => (self.tensor(x), None),
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

    /// A copy of `tensor`, which lies as x does: kernels take no tensor twice.
    pub(super) fn copy(&mut self, label: &str, x: ValueId, tensor: &Tensor) -> Tensor {
        let copy = self.allocate(self.shape(x), self.rows(x));
        activate::forward(self.recording, label, tensor, None, &copy);
        copy
    }

    /// Memory for what comes out of `activation`, as many rows as `x` has.
    pub fn output(&self, x: ValueId, shape: Shape, activation: Option<Activation>) -> Output {
        let rows = self.rows(x);
        let [pre, y] = [(); 2].map(|()| self.allocate(shape, rows));
        Output { pre, y, shape, rows, activation }
    }

    /// The parameters called `names` of the layer `label`; panics if one is missing.
    pub fn parameters<const N: usize>(&self, label: &str, names: [&str; N]) -> [Tensor; N] {
        self.weights.parameters.expect(label, names)
    }

    /// The statistics called `names` of the layer `label`; panics if one is missing.
    pub fn statistics<const N: usize>(&self, label: &str, names: [&str; N]) -> [Tensor; N] {
        self.weights.statistics.expect(label, names)
    }

    /// Adds the value that was just recorded into `output` from `inputs` and `parameters`, and its
    /// backward pass: `backward` is given the gradient by the pre-activation.
    pub fn push(
        &mut self,
        label: &str,
        inputs: &[ValueId],
        parameters: &[Tensor],
        Output { pre, y, shape, rows, activation }: Output,
        backward: impl Fn(&mut Backward, &Tensor) + 'static,
    ) -> ValueId {
        let depends =
            !parameters.is_empty() || inputs.iter().any(|x| self.values[x.0].needs_gradient);
        let needs_gradient = self.training.is_some() && depends;
        let origin = activation.filter(|_| needs_gradient).map(|activation| {
            (activation, if activation.has_slope_of_output() { y.clone() } else { pre })
        });
        let output = self.new_value(shape, rows, y, origin, needs_gradient);
        if needs_gradient {
            let (label, inputs) = (label.into(), inputs.to_vec());
            let offsets: BTreeSet<_> = parameters.iter().map(Tensor::offset).collect();
            let parameters = offsets.into_iter().map(|p| (p, self.updates_of(p))).collect();
            let backward = Box::new(backward);
            self.steps.push(Node { label, output, inputs, parameters, backward });
        }
        output
    }

    /// Records y, `rows` of `shape` as x has, from x alone. `forward` is given the recording, x and y;
    /// `backward` the recording, the step's label, the gradient by y, the activation that x came out of
    /// and where the gradient by the pre-activation of x is to be written.
    pub fn unary(
        &mut self,
        label: &str,
        x: ValueId,
        (shape, rows): (Shape, usize),
        forward: impl FnOnce(&mut Recording, &Tensor, &Tensor),
        backward: impl Fn(&mut Recording, &str, &Tensor, &Origin, &Tensor) + 'static,
    ) -> ValueId {
        let (from, y) = (self.tensor(x), self.allocate(shape, rows));
        forward(self.recording, &from, &y);
        self.push(label, &[x], &[], Output::plain(shape, rows, y), move |back, dy| {
            let (origin, dx) = (back.origin(x), back.allocate(x));
            let (recording, label) = back.recorder();
            backward(recording, label, dy, &origin, &dx);
            back.add(x, dx);
        })
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

    /// The activation that `x` came out of, by whose slope the gradient by `x` is multiplied.
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
