//! Named tensors that share one buffer: parameters, their gradients, the optimizer's moments.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::Layer;
use crate::error::Result;
use crate::gpu::{Gpu, Tensor, padded};

/// Name, shape and initial range of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// As in PyTorch's `state_dict`: `encoder.0.weight`.
    pub name: String,
    /// As PyTorch's: (outputs, inputs) for a linear layer's weight.
    pub shape: Vec<usize>,
    /// Initial values are uniform between −bound and bound.
    pub bound: f64,
}

impl ParameterSpec {
    /// A parameter named within its layer.
    pub fn new(name: &str, shape: &[usize], bound: f64) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), bound }
    }

    /// The parameters of `layer` under their full names.
    pub fn all(label: &str, layer: &dyn Layer) -> impl Iterator<Item = Self> {
        let full = move |spec: Self| Self { name: format!("{label}.{}", spec.name), ..spec };
        layer.parameters().into_iter().map(full)
    }

    /// Values in a row, and from row to row on the adapter: those of matrices are padded.
    fn row(&self) -> [usize; 2] {
        let columns = self.shape[1..].iter().product();
        [columns, if self.shape.len() > 1 { padded(columns) } else { columns }]
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
    /// Places `specs` one after the other, each aligned for binding.
    pub fn new(specs: impl IntoIterator<Item = ParameterSpec>) -> Self {
        let mut elements = 0;
        let mut place = |spec: ParameterSpec| {
            let offset = elements;
            let extent = spec.shape[0] * spec.row()[1];
            elements += extent.next_multiple_of(Tensor::ALIGNMENT);
            (spec, offset)
        };
        let entries = specs.into_iter().map(&mut place).collect();
        Self { entries, elements }
    }

    /// The parameters in order.
    pub fn specs(&self) -> impl Iterator<Item = &ParameterSpec> {
        self.entries.iter().map(|(spec, _)| spec)
    }

    /// Bytes of the buffer, alignment included.
    pub fn bytes(&self) -> u64 {
        4 * self.elements as u64
    }

    /// Initial values for every parameter, in order: a function of `seed` alone.
    pub fn initial(&self, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |spec: &ParameterSpec| {
            let bound = spec.bound as f32;
            (0..spec.len()).map(|_| rng.random_range(-bound..=bound)).collect()
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
    pub fn zeros(gpu: &Gpu, label: &str, layout: &Arc<Layout>) -> Self {
        let arena = Tensor::zeros(gpu, label, &[layout.elements]);
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

    /// The tensors of the layer named `layer`, in its order.
    pub fn of(&self, layer: &str) -> Vec<Tensor> {
        let own = |(spec, _): &&(ParameterSpec, usize)| {
            spec.name.rsplit_once('.').is_some_and(|(prefix, _)| prefix == layer)
        };
        let view = |(spec, offset): &(ParameterSpec, usize)| match spec.shape.len() {
            1 => self.arena.view(*offset, &spec.shape),
            _ => self.arena.view_matrix(*offset, &spec.shape),
        };
        self.layout.entries.iter().filter(own).map(view).collect()
    }

    /// Overwrites every parameter; `values` in the layout's order and of its sizes.
    pub fn write<V: AsRef<[f32]>>(&self, gpu: &Gpu, values: &[V]) {
        let mut all = vec![0.0; self.layout.elements];
        assert_eq!(values.len(), self.layout.entries.len(), "one value for each parameter");
        for ((spec, offset), values) in self.layout.entries.iter().zip(values) {
            let [columns, stride] = spec.row();
            let rows = all[*offset..].chunks_mut(stride).zip(values.as_ref().chunks(columns));
            rows.for_each(|(to, from)| to[..columns].copy_from_slice(from));
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
            let [columns, stride] = spec.row();
            let rows = all[*offset..].chunks(stride).take(spec.shape[0]);
            rows.flat_map(|row| &row[..columns]).copied().collect()
        };
        Ok(self.layout.entries.iter().map(part).collect())
    }
}
