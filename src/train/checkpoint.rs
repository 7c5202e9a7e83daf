//! Stopping and going on, to the bit.

use std::path::Path;

use super::{TrainOptions, Trainer};
use crate::config::{Config, TrainConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu};
use crate::model::{Header, Model, TensorFile, Totals};
use crate::nn::{Parameters, Weights};
use crate::ops::State;

impl Trainer {
    /// A trainer that goes on from the checkpoint at `path`: what follows has the bits of an uninterrupted
    /// run on the same adapter, whose kernels it takes.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`]; [`Error::Io`] or [`Error::Run`] when there is no checkpoint, it is
    /// damaged, or it belongs to another model, dataset or training configuration.
    pub fn resume(
        gpu: &Gpu,
        config: &Config,
        data: &Dataset,
        options: TrainOptions,
        path: impl AsRef<Path>,
    ) -> Result<Self> {
        Self::restored(path.as_ref(), |choices| {
            Self::of_config(gpu, config, data, options, choices)
        })
    }
}

impl<M: Model> Trainer<M> {
    /// A trainer of `model` that goes on from the checkpoint at `path`, as [`Trainer::resume`].
    ///
    /// # Errors
    ///
    /// As [`Trainer::with_model`] and [`Trainer::resume`].
    pub fn resume_model(
        gpu: &Gpu,
        model: M,
        config: &TrainConfig,
        data: &Dataset,
        options: TrainOptions,
        path: impl AsRef<Path>,
    ) -> Result<Self> {
        Self::restored(path.as_ref(), |choices| {
            Self::of_model(gpu, model, config, data, options, choices)
        })
    }

    /// The trainer that `new` makes with the kernels of the checkpoint at `path`, going on from there.
    fn restored(path: &Path, new: impl FnOnce(Option<Choices>) -> Result<Self>) -> Result<Self> {
        let file = TensorFile::read(path)?;
        let trainer = new(Some(file.header.choices.clone()))?;
        trainer.restore(&file, path)?;
        Ok(trainer)
    }

    /// Sets everything as `file`, which was read from `path`, has it.
    fn restore(&self, file: &TensorFile, path: &Path) -> Result<()> {
        let foreign = || {
            let message = "belongs to another model, dataset or training configuration; \
                           undo the change, or train anew into another folder";
            Error::run(path, message)
        };
        // Only the length of training may change between the parts of a run.
        let mut expected = Header { choices: file.header.choices.clone(), ..self.header() };
        let train = file.header.train.as_ref().ok_or_else(foreign)?;
        expected.train = expected.train.map(|own| TrainConfig { epochs: train.epochs, ..own });
        let (state, sums) = self.saved_sums(file)?;
        let (images, batch) = (self.state().images, self.config.train.batch_size);
        // Shaders go by the row unchecked.
        let fits = state.images == images
            && state.row < images
            && (state.row as usize).is_multiple_of(batch);
        if file.header != expected || file.words("checksum", 1)?[0] != self.checksum || !fits {
            return Err(foreign());
        }
        for (prefix, into) in self.saved_parts() {
            file.load_parameters(&self.gpu, &prefix, &into)?;
        }
        let units = file.words("units", self.training.running.units.len())?;
        let [sums, units] =
            [sums, units].map(|words| words.into_iter().map(f32::from_bits).collect());
        self.totals.replace(Totals { state, sums, units });
        Ok(())
    }

    /// The counters, and the terms' sums.
    fn saved_sums(&self, file: &TensorFile) -> Result<(State, Vec<u32>)> {
        let terms = self.batches.terms().len();
        let (state, sums) = match file.contains("sums") {
            true => (file.words("state", State::WORDS)?, file.words("sums", terms)?),
            // Before there were terms, the reconstruction loss stood behind the counters.
            false => {
                let mut state = file.words("state", State::WORDS + 1)?;
                let mut sums = vec![0; terms];
                sums[0] = state.remove(State::WORDS);
                (state, sums)
            }
        };
        Ok((bytemuck::pod_read_unaligned(bytemuck::cast_slice(&state)), sums))
    }

    /// Writes everything that [`Trainer::resume`] needs, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written, [`Error::Gpu`] when the adapter was lost.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut file = TensorFile::new(path, self.header());
        for (prefix, from) in self.saved_parts() {
            file.insert_parameters(&prefix, from.layout(), &from.read(&self.gpu)?);
        }
        let Totals { state, sums, units } = &*self.totals.borrow();
        file.insert_words("checksum", &[self.checksum]);
        file.insert_words("state", bytemuck::cast_slice(&[*state]));
        file.insert_words("sums", bytemuck::cast_slice(sums));
        file.insert_words("units", bytemuck::cast_slice(units));
        file.write()
    }

    fn header(&self) -> Header {
        Header::of(&self.model, Some(&self.config.train), &self.choices)
    }

    /// All values that a checkpoint keeps for every parameter, under these prefixes.
    fn saved_parts(&self) -> Vec<(String, Parameters)> {
        let Weights { parameters, statistics } = self.model.weights().clone();
        let mut parts =
            vec![("parameter.".to_string(), parameters), ("statistic.".to_string(), statistics)];
        let phases = self.training.phases();
        for moments in &phases {
            // The names that files had before there were phases.
            let of = if phases.len() == 1 { "" } else { &format!("{}.", moments.phase) };
            parts.push((format!("first_moment.{of}"), moments.first.clone()));
            parts.push((format!("second_moment.{of}"), moments.second.clone()));
        }
        parts
    }
}
