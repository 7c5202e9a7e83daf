//! The backward pass through a [`Graph`]: a sweep over its values, from the last to the first.
//!
//! The gradient by x is that of the loss with respect to x. Gradients are by the pre-activation: whoever
//! computes the gradient by a value multiplies it by the slope of the activation that the value came out
//! of. That is linear, so gradients of a value that is used several times are added.

use std::collections::{HashMap, HashSet};

use super::graph::{Graph, Node, ValueId};
use super::updates::{Sink, Updates, Uses};
use super::{Layout, Parameters};
use crate::gpu::{Recording, Tensor};
use crate::ops::activation::Origin;
use crate::ops::matmul::WeightGradient;
use crate::ops::sums::Sum;
use crate::ops::{activate, add, conv};

/// Which parameters a sweep trains.
#[derive(Clone, Copy, Debug)]
pub enum Train<'a> {
    /// Every one.
    All,
    /// Those whose names begin with one of these and a dot, as `encoder` does `encoder.0.weight`.
    Only(&'a [String]),
}

impl Train<'_> {
    /// A module that is named and has no parameters in `layout`.
    pub(crate) fn missing(&self, layout: &Layout) -> Option<&str> {
        let Self::Only(modules) = self else { return None };
        let is_there = |module: &str| layout.specs().any(|spec| is_within(&spec.name, module));
        modules.iter().map(String::as_str).find(|module| !is_there(module))
    }

    /// Offsets in the arena of those that are trained.
    fn offsets(&self, parameters: &Parameters) -> HashSet<usize> {
        let trained = |name: &str| match self {
            Self::All => true,
            Self::Only(modules) => modules.iter().any(|module| is_within(name, module)),
        };
        let places = parameters.layout().places();
        places.filter(|(spec, _)| trained(&spec.name)).map(|(_, offset)| offset).collect()
    }
}

/// Whether a parameter called `name` belongs to `module`.
fn is_within(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

/// Where a sweep begins, and what it is for.
pub struct Sweep<'a> {
    /// Values, each with the gradient by it; without one where the value's own closure knows it.
    pub seeds: &'a [(ValueId, Option<Tensor>)],
    /// Which parameters have gradients.
    pub train: Train<'a>,
    /// The use of their gradients.
    pub sink: Sink<'a>,
    /// Variables whose gradients are wanted as well.
    pub variables: &'a [ValueId],
}

/// The gradient by a value as far as it has been recorded.
#[derive(Clone, Default)]
struct Pending {
    /// The gradient by its pre-activation.
    by_pre: Option<Tensor>,
    /// The gradient by the value itself, to be multiplied by the slope of its activation.
    by_value: Option<Tensor>,
}

/// A sweep while it is recorded.
pub struct Backward<'b, 'a> {
    graph: &'b mut Graph<'a>,
    /// The gradient by each value so far, in the order of the values.
    pending: Vec<Pending>,
    /// Whether a gradient that is wanted depends on the gradient by each value, in their order.
    wanted: Vec<bool>,
    updates: Updates<'b>,
    /// The label of the step whose gradients are being recorded.
    label: String,
}

impl Graph<'_> {
    /// Records a sweep, which leaves everything as it is for another. Returns the gradients by the
    /// variables; nothing for one that no seed depends on.
    pub fn backward(&mut self, sweep: &Sweep<'_>) -> Vec<Option<Tensor>> {
        let steps = std::mem::take(&mut self.steps);
        let gradients =
            Backward::new(self, &steps, sweep).run(steps.iter().rev(), sweep, |_, _| ());
        self.steps = steps;
        gradients
    }

    /// Records the graph's last sweep, which gives memory back as it goes.
    pub fn backward_last(mut self, sweep: &Sweep) -> Vec<Option<Tensor>> {
        let steps = std::mem::take(&mut self.steps);
        let backward = Backward::new(&mut self, &steps, sweep);
        backward.graph.values.iter_mut().for_each(|value| value.tensor = None);
        // Steps that come before this one in the graph do not read its output's pre-activation.
        backward.run(steps.into_iter().rev(), sweep, |back, output| {
            back.graph.values[output.0].origin = None;
        })
    }
}

/// How often the sweep meets each parameter, by its offset. Panics where the value of a parameter has
/// changed since it was used: the gradients would be those of no function.
fn uses(graph: &Graph, steps: &[Node], sweep: &Sweep, wanted: &[bool]) -> HashMap<usize, Uses> {
    let mut reached = vec![false; wanted.len()];
    sweep.seeds.iter().for_each(|(seed, _)| reached[seed.0] = true);
    let (mut uses, mut groups) = (HashMap::new(), Vec::new());
    for step in steps.iter().rev().filter(|step| wanted[step.output.0]) {
        if reached[step.output.0] {
            step.inputs.iter().for_each(|x| reached[x.0] = true);
            for (parameter, updates) in &step.parameters {
                let label = &step.label;
                let same = graph.updates_of(*parameter) == *updates;
                assert!(same, "{label}: was updated since it was applied; apply it again");
                uses.entry(*parameter).or_insert(Uses::default()).count += 1;
            }
            groups.push(&step.parameters);
        }
    }
    for group in groups {
        // One kernel computes the gradients of a layer's parameters, into one buffer.
        if group.iter().any(|(parameter, _)| uses[parameter].count > 1) {
            let shared = |(parameter, _): &(usize, u32)| {
                uses.entry(*parameter).or_default().is_shared = true;
            };
            group.iter().for_each(shared);
        }
    }
    uses
}

impl<'b, 'a> Backward<'b, 'a> {
    fn new(graph: &'b mut Graph<'a>, steps: &[Node], sweep: &Sweep<'b>) -> Self {
        let mut trained = sweep.train.offsets(graph.all_parameters());
        let mut wanted = vec![false; graph.values.len()];
        sweep.variables.iter().for_each(|variable| wanted[variable.0] = true);
        for step in steps {
            assert!(!wanted[step.output.0], "{}: a variable that is computed", step.label);
            wanted[step.output.0] = step.parameters.iter().any(|(p, _)| trained.contains(p))
                || step.inputs.iter().any(|x| wanted[x.0]);
        }
        let uses = uses(graph, steps, sweep, &wanted);
        // Parameters that no seed depends on have no gradient, and stay.
        trained.retain(|parameter| uses.contains_key(parameter));
        if let Sink::Step(_) = sweep.sink {
            trained.iter().for_each(|p| *graph.updates.entry(*p).or_default() += 1);
        }
        let pending = vec![Pending::default(); graph.values.len()];
        let updates = Updates::new(sweep.sink, graph.all_parameters(), trained, &uses);
        Self { graph, pending, wanted, updates, label: String::new() }
    }

    fn run<S: std::borrow::Borrow<Node>>(
        mut self,
        steps: impl Iterator<Item = S>,
        sweep: &Sweep,
        after: impl Fn(&mut Self, ValueId),
    ) -> Vec<Option<Tensor>> {
        for (value, gradient) in sweep.seeds {
            match gradient {
                Some(gradient) => self.pass(*value, gradient.clone()),
                None => self.add(*value, self.graph.recording.vector(4)),
            }
        }
        for step in steps {
            let Node { label, output, backward, .. } = step.borrow();
            if let Some(dy) = self.wanted[output.0].then(|| self.take(*output)).flatten() {
                self.label.clone_from(label);
                backward(&mut self, &dy);
            }
            after(&mut self, *output);
        }
        let gradients = sweep.variables.iter().map(|variable| self.take(*variable)).collect();
        self.updates.record(self.graph.recording);
        gradients
    }

    /// The recording that dispatches are added to, and the label of the step that is passed.
    pub fn recorder(&mut self) -> (&mut Recording, &str) {
        (self.graph.recording, &self.label)
    }

    /// Whether the gradient by `x` is wanted.
    pub fn wants(&self, x: ValueId) -> bool {
        self.wanted[x.0]
    }

    /// The activation that `x` came out of: the gradient by `x`, multiplied by its slope, is that by the
    /// pre-activation.
    pub fn origin(&self, x: ValueId) -> Origin {
        self.graph.origin_of(x)
    }

    /// Memory for the gradient by `x`.
    pub fn allocate(&self, x: ValueId) -> Tensor {
        self.graph.allocate(self.graph.shape(x), self.graph.rows(x))
    }

    /// Adds `dx` to the gradient by the pre-activation of `x`.
    pub fn add(&mut self, x: ValueId, dx: Tensor) {
        let sum = match self.pending[x.0].by_pre.take() {
            Some(others) => self.sum(x, others, dx),
            None => dx,
        };
        self.pending[x.0].by_pre = Some(sum);
    }

    /// Adds `dx` to the gradient by `x`, not yet taken through the activation that x came out of.
    pub fn pass(&mut self, x: ValueId, dx: Tensor) {
        let sum = match self.pending[x.0].by_value.take() {
            Some(others) => self.sum(x, others, dx),
            None => dx,
        };
        self.pending[x.0].by_value = Some(sum);
    }

    fn sum(&mut self, x: ValueId, a: Tensor, b: Tensor) -> Tensor {
        let [pre, y] = [(); 2].map(|()| self.allocate(x));
        let b = self.apart(x, b, &a);
        add::forward(self.graph.recording, &self.label, [&a, &b], None, &pre, &y);
        y
    }

    /// `tensor`, or a copy where it is `other`: kernels take no tensor twice.
    pub(super) fn apart(&mut self, x: ValueId, tensor: Tensor, other: &Tensor) -> Tensor {
        if !tensor.is_same(other) {
            return tensor;
        }
        self.graph.copy(&self.label, x, &tensor)
    }

    /// The whole gradient by the pre-activation of `x`, if anything was added to it.
    fn take(&mut self, x: ValueId) -> Option<Tensor> {
        let Pending { by_pre, by_value } = std::mem::take(&mut self.pending[x.0]);
        let origin = self.origin(x);
        let Some(dy) = by_value else { return by_pre };
        let Some(da) = by_pre else {
            if origin.activation.is_none() {
                return Some(dy);
            }
            let dx = self.allocate(x);
            activate::backward(self.graph.recording, &self.label, &dy, &origin, &dx);
            return Some(dx);
        };
        let (da, dx) = (self.apart(x, da, &dy), self.allocate(x));
        add::backward(self.graph.recording, &self.label, &da, &dy, &origin, &dx);
        Some(dx)
    }

    /// Adds to the gradients of a linear layer's weight and bias, if they are trained. All that are
    /// added in a sweep are computed together, behind it.
    pub fn product(&mut self, gradient: WeightGradient) {
        if self.updates.trains(&gradient.weight) {
            self.updates.product(gradient);
        }
    }

    /// Adds to the gradients of a convolution's weight and bias, if they are trained.
    pub fn convolution(&mut self, gradient: &conv::WeightGradient) {
        if self.updates.trains(&gradient.weight) {
            let sums = conv::weight_parts(self.graph.recording, &self.label, gradient);
            sums.into_iter().for_each(|sum| self.sums(sum));
        }
    }

    /// Adds to the gradient of the parameter `sum.result`, if it is trained, what the sums of parts
    /// give.
    pub fn sums(&mut self, sum: Sum) {
        if self.updates.trains(&sum.result) {
            self.updates.sums(sum);
        }
    }

    /// Where a kernel of its own is to leave the gradient of `parameter`, whether that is trained or
    /// not.
    pub fn direct(&mut self, parameter: &Tensor) -> Tensor {
        self.updates.direct(self.graph.recording, parameter)
    }
}
