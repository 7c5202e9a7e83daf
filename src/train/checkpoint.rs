//! Stopping and going on, to the bit.

use std::path::Path;

use super::{TrainOptions, Trainer};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::{Config, TensorFile};
use crate::nn::Parameters;
use crate::ops::State;

impl Trainer {
    /// As [`Trainer::new`], from where the checkpoint at `path` stands: what follows has the bits
    /// of an uninterrupted run on the same adapter, whose kernels it takes.
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
        let path = path.as_ref();
        let file = TensorFile::read(path)?;
        let choices = Some(file.header.choices.clone());
        let mut trainer = Self::with_choices(gpu, config, data, options, choices)?;
        // Only the length of training may change between the parts of a run.
        let mut expected = trainer.model().header(&config.train);
        expected.train.epochs = file.header.train.epochs;
        expected.choices = file.header.choices.clone();
        let words = file.words("state", size_of::<State>() / 4)?;
        let saved: State = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
        let checksum = file.words("checksum", 1)?[0];
        // Shaders go by the row unchecked.
        let fits = saved.images == trainer.host.images
            && saved.row < saved.images
            && (saved.row as usize).is_multiple_of(config.train.batch_size);
        if file.header != expected || checksum != trainer.checksum || !fits {
            let message = "belongs to another model, dataset or training configuration; \
                           undo the change, or train anew into another folder";
            return Err(Error::run(path, message));
        }
        for (prefix, into) in trainer.saved_parts() {
            file.load_parameters(gpu, prefix, into)?;
        }
        let units = file.words("units", trainer.units.len())?;
        trainer.units = units.into_iter().map(f32::from_bits).collect();
        trainer.host = saved;
        Ok(trainer)
    }

    /// Writes everything that [`Trainer::resume`] needs, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written, [`Error::Gpu`] when the adapter was lost.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut file = TensorFile::new(path, self.model().header(&self.config().train));
        for (prefix, from) in self.saved_parts() {
            file.insert_parameters(prefix, from.layout(), &from.read(&self.gpu)?);
        }
        file.insert_words("checksum", &[self.checksum]);
        file.insert_words("state", bytemuck::cast_slice(&[self.host]));
        file.insert_words("units", bytemuck::cast_slice(&self.units));
        file.write()
    }

    /// What a checkpoint keeps for every parameter, under these prefixes.
    fn saved_parts(&self) -> [(&'static str, &Parameters); 4] {
        [
            ("parameter.", self.model().parameters()),
            ("statistic.", self.model().statistics()),
            ("first_moment.", &self.step.first_moment),
            ("second_moment.", &self.step.second_moment),
        ]
    }
}
