//! The end of a sweep: parameters' gradients are stored, or move the parameters.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use super::Parameters;
use crate::gpu::{Recording, Tensor};
use crate::ops::clip;
use crate::ops::matmul::{self, WeightGradient};
use crate::ops::optimizer::{self, Update};
use crate::ops::sums::{self, Sum};

/// Where a sweep's gradients go.
#[derive(Clone, Copy)]
pub enum Sink<'a> {
    /// They are stored, laid out as the parameters.
    Store(&'a Parameters),
    /// They move the parameters by an optimizer's step.
    Step(OptimizerStep<'a>),
}

/// An optimizer's step at the end of a sweep.
#[derive(Clone, Copy)]
pub struct OptimizerStep<'a> {
    /// The label of its dispatches.
    pub label: &'a str,
    /// The optimizer with its state, and all parameters.
    pub update: Update<'a>,
    /// The most that the norm of all gradients may be; they are scaled down to it.
    pub clip_norm: Option<f64>,
    /// Whether the gradients are stored even where the step could do without.
    pub store: bool,
    /// Where they are stored, from when that is first necessary.
    pub gradients: &'a OnceLock<Parameters>,
}

/// The parameters' gradients while a sweep is recorded.
pub(super) struct Updates<'a> {
    sink: Sink<'a>,
    parameters: &'a Parameters,
    /// Offsets of the parameters that are trained.
    trained: HashSet<usize>,
    /// The gradients of parameters that are used several times, by their offsets.
    slots: BTreeMap<usize, Slots>,
    /// The buffer in which they lie.
    shared: Tensor,
    products: Vec<WeightGradient>,
    sums: Vec<Sum>,
    /// Whether a kernel has left a gradient where gradients are stored.
    is_stored: bool,
}

/// How a sweep uses a parameter.
#[derive(Clone, Copy, Default)]
pub(super) struct Uses {
    /// How often.
    pub count: usize,
    /// Whether it, or another parameter of a layer that uses it, is used several times.
    pub is_shared: bool,
}

/// A row for each use of a parameter.
struct Slots {
    first: usize,
    stride: usize,
    used: usize,
    parameter: Tensor,
}

impl Slots {
    fn next(&mut self, shared: &Tensor) -> Tensor {
        let offset = self.first + self.used * self.stride;
        self.used += 1;
        match self.parameter.shape() {
            shape @ [_] => shared.view(offset, shape),
            shape => shared.view_matrix(offset, shape),
        }
    }
}

impl<'a> Updates<'a> {
    /// None yet; `uses` tells how each parameter is used.
    pub fn new(
        sink: Sink<'a>,
        parameters: &'a Parameters,
        trained: HashSet<usize>,
        uses: &HashMap<usize, Uses>,
    ) -> Self {
        let (mut slots, mut end) = (BTreeMap::new(), 0);
        for (parameter, offset) in parameters.tensors() {
            let Uses { count, is_shared } = uses.get(&offset).copied().unwrap_or_default();
            if is_shared && trained.contains(&offset) {
                let stride = parameter.extent().next_multiple_of(Tensor::ALIGNMENT);
                slots.insert(offset, Slots { first: end, stride, used: 0, parameter });
                end += count * stride;
            }
        }
        Self {
            sink,
            parameters,
            trained,
            slots,
            shared: Tensor::zeros("shared gradients", &[end]),
            products: Vec::new(),
            sums: Vec::new(),
            is_stored: false,
        }
    }

    pub fn trains(&self, parameter: &Tensor) -> bool {
        self.trained.contains(&parameter.offset())
    }

    pub fn product(&mut self, gradient: WeightGradient) {
        self.products.push(gradient);
    }

    pub fn sums(&mut self, sum: Sum) {
        self.sums.push(sum);
    }

    /// Where a kernel of its own is to leave the gradient of `parameter`.
    pub fn direct(&mut self, recording: &Recording, parameter: &Tensor) -> Tensor {
        if !self.trains(parameter) {
            return recording.like(parameter);
        }
        if let Some(slots) = self.slots.get_mut(&parameter.offset()) {
            return slots.next(&self.shared);
        }
        self.is_stored = true;
        self.stored().at(parameter)
    }

    fn stored(&self) -> &'a Parameters {
        match self.sink {
            Sink::Store(gradients) => gradients,
            Sink::Step(OptimizerStep { gradients, .. }) => {
                gradients.get_or_init(|| Parameters::zeros("gradients", self.parameters.layout()))
            }
        }
    }

    /// Records what is left to do once the sweep has passed every value.
    pub fn record(mut self, recording: &mut Recording) {
        self.add_up_shared(recording);
        let label = match self.sink {
            Sink::Store(_) => "step",
            Sink::Step(OptimizerStep { label, .. }) => label,
        };
        match self.sink {
            Sink::Store(_) => self.store(recording, label),
            Sink::Step(OptimizerStep { update, clip_norm: None, store: false, .. })
                if !self.is_stored =>
            {
                matmul::backward_weight_step(recording, label, &self.products, &update);
                sums::parts_step(recording, label, &self.sums, &update);
            }
            Sink::Step(OptimizerStep { update, clip_norm, .. }) => {
                let (gradients, runs) = (self.stored().arena().clone(), self.runs());
                self.store(recording, label);
                let factor = clip_norm.map(|max_norm| {
                    let squares = clip::squares(recording, label, &gradients);
                    clip::factor(recording, label, &squares, max_norm)
                });
                for [from, to] in runs {
                    let part = |tensor: &Tensor| tensor.view(from, &[to - from]);
                    let [first, second] = update.moments.map(part);
                    let (parameter, moments) = (&part(update.parameter), [&first, &second]);
                    let update = Update { parameter, moments, ..update };
                    optimizer::step(recording, label, &update, &part(&gradients), factor.as_ref());
                }
            }
        }
    }

    fn store(self, recording: &mut Recording, label: &str) {
        let gradients = self.stored().arena();
        matmul::backward_weight(recording, label, &self.products, gradients);
        sums::parts(recording, label, &self.sums, gradients);
    }

    /// Computes the gradient of every use of parameters that have several, and leaves their sums to be
    /// taken with the others.
    fn add_up_shared(&mut self, recording: &mut Recording) {
        let mut placed = Vec::new();
        for gradient in std::mem::take(&mut self.products) {
            // All parameters of a layer have slots, or none.
            if !self.slots.contains_key(&gradient.weight.offset()) {
                self.products.push(gradient);
                continue;
            }
            let WeightGradient { dy, x, weight, bias } = gradient;
            let [weight, bias] = [weight, bias].map(|parameter| {
                let slots = self.slots.get_mut(&parameter.offset());
                slots.expect("all parameters of a layer have slots").next(&self.shared)
            });
            placed.push(WeightGradient { dy, x, weight, bias });
        }
        matmul::backward_weight(recording, "shared", &placed, &self.shared);
        for mut sum in std::mem::take(&mut self.sums) {
            if let Some(slots) = self.slots.get_mut(&sum.result.offset()) {
                sum.result = slots.next(&self.shared);
                sums::parts(recording, "shared", &[sum], &self.shared);
            } else {
                self.sums.push(sum);
            }
        }
        let totals = self.slots.values().filter(|slots| slots.used > 0).map(|slots| Sum {
            parts: self.shared.view(slots.first, &[slots.used, slots.stride]),
            offset: 0,
            result: slots.parameter.clone(),
        });
        self.sums.extend(totals);
    }

    /// Where in the arena the trained parameters lie: from and to, neighbours as one.
    fn runs(&self) -> Vec<[usize; 2]> {
        let mut runs: Vec<[usize; 2]> = Vec::new();
        for (parameter, from) in self.parameters.tensors() {
            let to = from + parameter.extent().next_multiple_of(Tensor::ALIGNMENT);
            match runs.last_mut() {
                _ if !self.trained.contains(&from) => {}
                Some(run) if run[1] == from => run[1] = to,
                _ => runs.push([from, to]),
            }
        }
        runs
    }
}
