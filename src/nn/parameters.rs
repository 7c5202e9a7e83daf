//! Named tensors that share one buffer: parameters, their gradients, the optimizer's moments.

use std::collections::HashSet;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::error::Result;
use crate::gpu::{Gpu, Tensor, padded};

/// Name, shape and initial values of a parameter, or of what a layer keeps beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// The name, as in PyTorch's `state_dict`: `encoder.0.weight`.
    pub name: String,
    /// The shape that PyTorch gives it: (outputs, inputs) for a linear layer's weight.
    pub shape: Vec<usize>,
    /// The middle of the range of initial values.
    pub centre: f64,
    /// How far they are from the middle at most; they are uniform in between.
    pub bound: f64,
}

impl ParameterSpec {
    /// Initial values between −bound and bound; named within its layer.
    pub fn uniform(name: &str, shape: &[usize], bound: f64) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), centre: 0.0, bound }
    }

    /// All values `value` at first; named within its layer.
    pub fn constant(name: &str, shape: &[usize], value: f64) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), centre: value, bound: 0.0 }
    }

    /// The same, named within the layer `label`.
    pub fn within(self, label: &str) -> Self {
        Self { name: format!("{label}.{}", self.name), ..self }
    }

    /// How it lies on the adapter: rows, places in each, and channels at each place, whose values are
    /// padded. PyTorch has the channels before the places: (outputs, inputs) of linear layers,
    /// (channels, height, width) of maps, (rows, channels, height, width) of convolutions.
    /// One row of a single place for vectors, which have no padding.
    fn places(&self) -> [usize; 3] {
        match self.shape[..] {
            [count] => [1, 1, count],
            [outputs, inputs] => [outputs, 1, inputs],
            [channels, height, width] => [1, height * width, channels],
            [rows, channels, height, width] => [rows, height * width, channels],
            _ => panic!("{}: no parameter has the shape {:?}", self.name, self.shape),
        }
    }

    /// Elements from place to place on the adapter.
    fn stride(&self) -> usize {
        let channels = self.places()[2];
        if self.shape.len() > 1 { padded(channels) } else { channels }
    }

    /// Elements on the adapter.
    fn extent(&self) -> usize {
        let [rows, places, _] = self.places();
        rows * places * self.stride()
    }

    /// Each value's place on the adapter, in PyTorch's order.
    fn order(&self) -> impl Iterator<Item = usize> {
        let ([rows, places, channels], stride) = (self.places(), self.stride());
        let at = move |row, channel| {
            (0..places).map(move |place| (row * places + place) * stride + channel)
        };
        (0..rows).flat_map(move |row| (0..channels).flat_map(move |c| at(row, c)))
    }

    /// Its part of `arena`, from element `offset` on: a vector, or a matrix of all places of a row
    /// (of a map: all places).
    fn view(&self, arena: &Tensor, offset: usize) -> Tensor {
        let [rows, places, channels] = self.places();
        match self.shape.len() {
            1 => arena.view(offset, &[channels]),
            3 => arena.view_matrix(offset, &[places, channels]),
            2 => arena.view_matrix(offset, &[rows, channels]),
            _ => arena.view_matrix(offset, &[rows, places * self.stride()]),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where each parameter lies in a shared buffer.
#[derive(Clone, Debug)]
pub struct Layout {
    entries: Vec<(ParameterSpec, usize)>,
    elements: usize,
}

impl Layout {
    /// Places `specs` one after the other, each aligned for binding. Panics if two have one name.
    pub fn new(specs: impl IntoIterator<Item = ParameterSpec>) -> Self {
        let mut elements = 0;
        let mut place = |spec: ParameterSpec| {
            let offset = elements;
            elements += spec.extent().next_multiple_of(Tensor::ALIGNMENT);
            (spec, offset)
        };
        let entries: Vec<_> = specs.into_iter().map(&mut place).collect();
        let mut names = HashSet::new();
        for (ParameterSpec { name, .. }, _) in &entries {
            assert!(names.insert(name), "two parameters are called {name}");
        }
        Self { entries, elements }
    }

    /// The parameters in order.
    pub fn specs(&self) -> impl Iterator<Item = &ParameterSpec> {
        self.entries.iter().map(|(spec, _)| spec)
    }

    /// The parameters in order, each with its offset in the buffer.
    pub fn places(&self) -> impl Iterator<Item = (&ParameterSpec, usize)> {
        self.entries.iter().map(|(spec, offset)| (spec, *offset))
    }

    /// Bytes of the buffer, alignment included.
    pub fn bytes(&self) -> u64 {
        4 * self.elements as u64
    }

    /// Initial values for every parameter, in order: a function of `seed` alone.
    pub fn initial(&self, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |spec: &ParameterSpec| {
            let (centre, bound) = (spec.centre as f32, spec.bound as f32);
            (0..spec.len()).map(|_| centre + rng.random_range(-bound..=bound)).collect()
        };
        self.specs().map(&mut draw).collect()
    }
}

/// One value for each parameter of a [`Layout`], in one buffer on the adapter.
#[derive(Clone)]
pub struct Parameters {
    layout: Arc<Layout>,
    arena: Tensor,
}

impl Parameters {
    /// All zero.
    pub fn zeros(label: &str, layout: &Arc<Layout>) -> Self {
        let arena = Tensor::zeros(label, &[layout.elements]);
        Self { layout: layout.clone(), arena }
    }

    /// Names, shapes and places.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// All of them as one tensor, the gaps between them zero.
    pub fn arena(&self) -> &Tensor {
        &self.arena
    }

    /// Every parameter with its offset, in the layout's order.
    pub fn tensors(&self) -> impl Iterator<Item = (Tensor, usize)> {
        self.layout.places().map(|(spec, offset)| (spec.view(&self.arena, offset), offset))
    }

    /// The values at the place that `tensor` has in other parameters of the same layout.
    pub fn at(&self, tensor: &Tensor) -> Tensor {
        match tensor.shape() {
            shape @ [_] => self.arena.view(tensor.offset(), shape),
            shape => self.arena.view_matrix(tensor.offset(), shape),
        }
    }

    /// The tensors called `names` of the layer `label`; panics if one is missing.
    pub fn expect<const N: usize>(&self, label: &str, names: [&str; N]) -> [Tensor; N] {
        names.map(|name| {
            let full = format!("{label}.{name}");
            let found = self.layout.entries.iter().find(|(spec, _)| spec.name == full);
            let (spec, offset) = found.unwrap_or_else(|| panic!("{full}: no such parameter"));
            spec.view(&self.arena, *offset)
        })
    }

    /// Overwrites every parameter; `values` in the layout's order and of its sizes.
    pub fn write<V: AsRef<[f32]>>(&self, gpu: &Gpu, values: &[V]) {
        let mut all = vec![0.0; self.layout.elements];
        assert_eq!(values.len(), self.layout.entries.len(), "one value for each parameter");
        for ((spec, offset), values) in self.layout.entries.iter().zip(values) {
            for (at, value) in spec.order().zip(values.as_ref()) {
                all[offset + at] = *value;
            }
        }
        self.arena.write(gpu, &all);
    }

    /// Reads every parameter back, in the layout's order.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<Vec<f32>>> {
        let all: Vec<f32> = self.arena.read(gpu)?;
        let part = |(spec, offset): &(ParameterSpec, usize)| {
            spec.order().map(|at| all[offset + at]).collect()
        };
        Ok(self.layout.entries.iter().map(part).collect())
    }
}

/// All values of a model that stay from step to step. Clones share their memory on an adapter.
#[derive(Clone)]
pub struct Weights {
    /// Those that training moves.
    pub parameters: Parameters,
    /// Values that layers keep beside them, as running means, which no gradient changes: PyTorch's buffers.
    pub statistics: Parameters,
}

impl Weights {
    /// Both.
    pub fn both(&self) -> [&Parameters; 2] {
        [&self.parameters, &self.statistics]
    }

    /// Writes initial values as PyTorch draws them: a function of `seed` alone.
    pub fn initialise(&self, gpu: &Gpu, seed: u64) {
        self.both().iter().for_each(|values| values.write(gpu, &values.layout.initial(seed)));
    }
}
