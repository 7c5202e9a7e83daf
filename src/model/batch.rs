//! The batch of a step: images, their classes, and noise.

use super::{Network, Step};
use crate::config::{Binarize, ModelConfig};
use crate::error::{Error, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::Shape;
use crate::ops::Stream;
use crate::ops::gather::{self, Drawn};

/// The tensors of a batch, in the recording's workspace.
#[derive(Clone)]
pub struct Batch {
    /// Images in it.
    pub rows: usize,
    /// The encoder's input, laid out as [`Network::input`] says.
    pub x: Tensor,
    /// The target of the decoder, laid out as its output; x itself where both are the same.
    pub target: Tensor,
    /// Standard normals (rows · samples · latent); of one element where `noise` has them.
    pub epsilon: Tensor,
    /// The classes of a conditional model, one-hot (rows, classes).
    pub classes: Option<Tensor>,
    /// Standard normals for each level (rows · samples, latent) of a model whose divergence has no kernel of
    /// its own: [`ModelConfig::is_deep`].
    pub noise: Vec<Tensor>,
}

impl Batch {
    /// Whether what goes in is what is to come out.
    pub fn is_own_target(&self) -> bool {
        self.x.is_same(&self.target)
    }

    /// All that is given: x, the target, epsilon, the classes, and the noise of levels.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let first = [&self.x, &self.target, &self.epsilon].into_iter();
        first.chain(&self.classes).chain(&self.noise)
    }
}

impl Network {
    /// Tensors of `recording` for a batch of `rows` images and its noise.
    pub fn batch(&self, recording: &Recording, rows: usize) -> Batch {
        let (input, output) = (self.input, self.decoder.output());
        let x = input.tensor(recording, rows);
        let same = input == output && self.config().corruption.is_none();
        let target = if same { x.clone() } else { output.tensor(recording, rows) };
        let ModelConfig { latent, samples, .. } = *self.config();
        let is_deep = self.config().is_deep();
        let epsilon = recording.vector(if is_deep { 1 } else { rows * samples * latent });
        let classes = self.class_shape().map(|shape| shape.tensor(recording, rows));
        let levels = if is_deep { self.latents() } else { Vec::new() };
        let noise = levels.into_iter().map(|latent| recording.matrix(&[rows * samples, latent]));
        Batch { rows, x, target, epsilon, classes, noise: noise.collect() }
    }

    /// Records the step's batch and its noise in one kernel; where z is not to be drawn, without
    /// epsilon, which stays zero.
    pub(super) fn gathered(&self, step: &mut Step) -> Result<Batch> {
        let (seed, stream, is_drawn) = step.noise();
        // Black and white that are drawn anew in each epoch are drawn on the adapter, others by the host.
        let binarize = self.config().binarize;
        let by_host = binarize.filter(|kind| *kind != Binarize::Dynamic).map(|kind| (kind, seed));
        let parts = step.columns().images(self.shape(), by_host, &step.running().state)?;
        let mut batch = self.batch(step.graph.recording, step.rows());
        if !is_drawn {
            batch.epsilon = Tensor::zeros("epsilon", batch.epsilon.shape());
        }
        let is_map = |shape: Shape| matches!(shape, Shape::Map { .. });
        let corrupting = if step.is_training() { Stream::Corrupt } else { Stream::CorruptEvaluate };
        let corruption = self.config().corruption.map(|what| (what, corrupting));
        let drawing = if step.is_training() { Stream::Binarize } else { Stream::BinarizeEvaluate };
        let binarized = (binarize == Some(Binarize::Dynamic)).then_some(drawing);
        let noise =
            (is_drawn && self.config().variational && !self.config().is_deep()).then_some(stream);
        let drawn = Drawn { seed, noise, corruption, binarized };
        let (Batch { x, target, epsilon, .. }, maps) = (&batch, is_map(self.input));
        let recording = &mut *step.graph.recording;
        gather::batch(recording, "input", &parts, x, maps, &drawn, epsilon);
        if !batch.is_own_target() {
            let maps = is_map(self.decoder.output());
            let clean = Drawn { noise: None, corruption: None, ..drawn };
            gather::batch(recording, "output", &parts, target, maps, &clean, epsilon);
        }
        let noise_rows = step.rows() * self.config().samples;
        for (noise, latent) in batch.noise.iter_mut().zip(self.latents()) {
            let drawn = step.normal(noise_rows, latent);
            *noise = step.graph.tensor(drawn);
        }
        if let Some(condition) = self.condition() {
            let classes = step.column(&condition.column)?;
            let (shape, own) = (step.graph.shape(classes), condition.classes.len());
            if shape != Shape::Features(own) {
                let message =
                    format!("has {} values a row, and the model {own} classes", shape.values());
                return Err(Error::Column { column: condition.column.clone(), message });
            }
            batch.classes = Some(step.graph.tensor(classes));
        }
        Ok(batch)
    }
}
