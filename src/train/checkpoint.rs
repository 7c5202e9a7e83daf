//! Stopping and going on, to the bit.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{TrainOptions, Trainer};
use crate::config::{Config, TrainConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files;
use crate::gpu::{Choices, Gpu};
use crate::model::{Header, Model, TensorFile, Totals};
use crate::nn::{Parameters, Weights};
use crate::ops::State;
use crate::ops::latent::STATISTICS;

/// The counters of the checkpoint in the run folder `path`, without reading its tensors; nothing where
/// they cannot be found, as those of a model file that was moved.
pub fn counters(path: impl AsRef<Path>) -> Option<State> {
    let mut file = files::open_committed(&path.as_ref().join("checkpoint.safetensors")).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    let mut header = String::new();
    let read = (&mut file).take(length.min(LONGEST_HEADER)).read_to_string(&mut header).ok()?;
    let header: serde_json::Value = serde_json::from_str(&header).ok()?;
    let at = header.get("state")?.get("data_offsets")?.get(0)?.as_u64()?;
    file.seek(SeekFrom::Start(at.checked_add(8 + read as u64)?)).ok()?;
    let mut words = [0; size_of::<State>()];
    file.read_exact(&mut words).ok()?;
    Some(bytemuck::pod_read_unaligned(&words))
}

/// The longest header that safetensors files may have, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

impl Trainer {
    /// A trainer that goes on from the checkpoint at `path`: what follows has the bits of an uninterrupted
    /// run on the same adapter, whose kernels it takes. The number of epochs, the learning rate, its
    /// schedule and its warm-up may be others than before ([`Trainer::before`]).
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
        let mut trainer = new(Some(file.header.choices.clone()))?;
        file.check_choices(&trainer.gpu, &trainer.model.problems())?;
        trainer.restore(&file, path)?;
        trainer.before = file.header.train;
        Ok(trainer)
    }

    /// Sets everything as `file`, which was read from `path`, has it.
    fn restore(&self, file: &TensorFile, path: &Path) -> Result<()> {
        let foreign = |what: &str| {
            let message = format!(
                "belongs to another {what}; undo the change, or train anew into another folder"
            );
            Error::run(path, message)
        };
        // Only the length of training and the learning rate may change between the parts of a run.
        let mut expected = Header { choices: file.header.choices.clone(), ..self.header() };
        let saved = file.header.train.as_ref();
        let saved = saved.ok_or_else(|| foreign("model, dataset or training configuration"))?;
        expected.train = expected.train.map(|own| own.with_rate_and_length_of(saved));
        let (state, sums) = self.saved_sums(file)?;
        let [train, test] = self.checksums;
        // Before the test split counted, there was one.
        let (of_data, of_test) = match file.words("checksum", 2) {
            Ok(words) => (words[0], words[1]),
            Err(_) => (file.words("checksum", 1)?[0], test),
        };
        if file.header != expected || of_data != train || state.images != self.state().images {
            return Err(foreign("model, dataset or training configuration"));
        }
        if of_test != test {
            return Err(foreign("test split"));
        }
        self.check_counters(&state, saved.epochs).map_err(|fault| {
            Error::run(path, format!("is damaged: {fault}; restore it from a copy, or train again"))
        })?;
        for (prefix, into) in self.saved_parts() {
            file.load_parameters(&self.gpu, &prefix, &into)?;
        }
        let units = self.saved_units(file, &state)?;
        self.totals.replace(Totals { state, sums, units });
        Ok(())
    }

    /// Fails with the fault of counters that no run of `epochs` has.
    fn check_counters(&self, state: &State, epochs: u32) -> std::result::Result<(), String> {
        let State { step, epoch, row, images } = *state;
        let batch = self.config.train.batch_size as u64;
        // Shaders go by the row unchecked. After the last image there is only the evaluation.
        if row > images || row < images && !u64::from(row).is_multiple_of(batch) {
            return Err(format!("{row} of {images} images are no number of steps of {batch}"));
        }
        let steps =
            u64::from(epoch) * u64::from(images).div_ceil(batch) + u64::from(row).div_ceil(batch);
        // The adapter's counter begins again after 2³² steps.
        if steps as u32 != step || epoch > epochs {
            return Err(format!(
                "it tells of {step} steps and of {epoch} epochs with {row} more images"
            ));
        }
        Ok(())
    }

    /// The counters, and the terms' sums in their two parts.
    fn saved_sums(&self, file: &TensorFile) -> Result<(State, Vec<[f32; 2]>)> {
        let terms = self.batches.terms().len();
        let pair = |older: Vec<u32>, recent: Vec<u32>| {
            let pairs = older.into_iter().zip(recent);
            pairs.map(|(older, recent)| [older, recent].map(f32::from_bits)).collect()
        };
        let none = vec![0; terms];
        let (state, sums) = match (file.contains("recent_sums"), file.contains("sums")) {
            (true, _) => {
                let sums = pair(file.words("sums", terms)?, file.words("recent_sums", terms)?);
                (file.words("state", State::WORDS)?, sums)
            }
            // Before there were two parts, there was one.
            (false, true) => {
                (file.words("state", State::WORDS)?, pair(none, file.words("sums", terms)?))
            }
            // Before there were terms, the reconstruction loss stood behind the counters.
            (false, false) => {
                let mut state = file.words("state", State::WORDS + 1)?;
                let mut sums = none.clone();
                sums[0] = state.remove(State::WORDS);
                (state, pair(none, sums))
            }
        };
        Ok((bytemuck::pod_read_unaligned(bytemuck::cast_slice(&state)), sums))
    }

    /// The statistics of latent variables.
    fn saved_units(&self, file: &TensorFile, state: &State) -> Result<Vec<f32>> {
        let len = self.training.running.units.len();
        let floats = |words: Vec<u32>| words.into_iter().map(f32::from_bits).collect::<Vec<_>>();
        if file.contains("unit_statistics") {
            return Ok(floats(file.words("unit_statistics", len)?));
        }
        // Before, there were sums by the images of an epoch: of the KL divergence, of the posterior's mean
        // and of that squared.
        let latent = len / STATISTICS;
        let sums = floats(file.words("units", 3 * latent)?);
        let sum = |i: usize, unit: usize| f64::from(sums[i * latent + unit]);
        let rows = f64::from(state.row) / f64::from(state.images.max(1));
        let mean = |unit| if rows > 0.0 { sum(1, unit) / rows } else { 0.0 };
        let square = |unit| (sum(2, unit) - mean(unit) * sum(1, unit)).max(0.0);
        let of_unit = |i: usize| {
            move |unit: usize| match i {
                0 => sum(0, unit),
                2 => mean(unit),
                4 => square(unit),
                _ => 0.0,
            }
        };
        Ok((0..STATISTICS).flat_map(|i| (0..latent).map(of_unit(i))).map(|v| v as f32).collect())
    }

    /// Writes everything that [`Trainer::resume`] needs, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Diverged`] when a parameter is not finite, [`Error::Io`] when it cannot be written,
    /// [`Error::Gpu`] when the adapter was lost.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut header = self.header();
        // A run that is resumed with fewer epochs than are done keeps those.
        let done = self.state().epoch;
        header.train.iter_mut().for_each(|train| train.epochs = train.epochs.max(done));
        let mut file = TensorFile::new(path, header);
        for (prefix, from) in self.saved_parts() {
            let values = from.read(&self.gpu)?;
            file.insert_parameters(&prefix, from.layout(), &values)
                .map_err(|e| self.diverged(e))?;
        }
        let Totals { state, sums, units } = &*self.totals.borrow();
        file.insert_words("checksum", &self.checksums);
        file.insert_words("state", bytemuck::cast_slice(&[*state]));
        let part = |i: usize| sums.iter().map(|parts| parts[i].to_bits()).collect::<Vec<_>>();
        file.insert_words("sums", &part(0));
        file.insert_words("recent_sums", &part(1));
        file.insert_words("unit_statistics", bytemuck::cast_slice(units));
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
