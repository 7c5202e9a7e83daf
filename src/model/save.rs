//! Models in files: parameters that are finite, and kernels that the adapter has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::Dtype;

use super::file::RESTORE;
use super::{Header, Model, TensorFile, Vae};
use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::nn::{Layout, Parameters, Weights};
use crate::ops::matmul;

impl TensorFile {
    /// Fails unless every kernel that the header names can be taken on the adapter of `gpu`, if it was
    /// chosen there, and is for one of the products of `problems`: another one would change the last
    /// bits in silence.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] naming the first that cannot.
    pub fn check_choices(&self, gpu: &Gpu, problems: &[matmul::Problem]) -> Result<()> {
        matmul::check_choices(gpu.report(), &self.header.choices, problems).map_err(|fault| {
            let message = format!("{fault}: it is damaged, or of another version; {RESTORE}");
            Error::run(&self.path, message)
        })
    }

    /// Adds every parameter, named `prefix` and its own name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] when one holds what [`TensorFile::load_parameters`] would refuse.
    pub fn insert_parameters(
        &mut self,
        prefix: &str,
        layout: &Layout,
        values: &[Vec<f32>],
    ) -> Result<()> {
        for (spec, values) in layout.specs().zip(values) {
            let bytes = bytemuck::cast_slice(values).to_vec();
            let name = format!("{prefix}{}", spec.name);
            if !is_sound(prefix, values) {
                return Err(Error::NotFinite { what: spec.name.clone() });
            }
            self.tensors.insert(name, (Dtype::F32, spec.shape.clone(), bytes));
        }
        Ok(())
    }

    /// Copies every parameter onto the adapter.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when one is missing, of another shape, or holds what is no finite number.
    pub fn load_parameters(&self, gpu: &Gpu, prefix: &str, into: &Parameters) -> Result<()> {
        let mut values = Vec::new();
        for spec in into.layout().specs() {
            let name = format!("{prefix}{}", spec.name);
            let bytes = self.tensor(&name, Dtype::F32, &spec.shape)?;
            let floats = bytemuck::pod_collect_to_vec::<u8, f32>(bytes);
            if !is_sound(prefix, &floats) {
                let message =
                    format!("is damaged: {name} holds what is no finite number; {RESTORE}");
                return Err(Error::run(&self.path, message));
            }
            values.push(floats);
        }
        into.write(gpu, &values);
        Ok(())
    }

    fn load_weights(&self, gpu: &Gpu, weights: &Weights) -> Result<()> {
        weights.both().into_iter().try_for_each(|into| self.load_parameters(gpu, "", into))
    }
}

/// Whether training can go on with `values`, which have names with `prefix`: with an infinite moment, never
/// with an infinite weight.
fn is_sound(prefix: &str, values: &[f32]) -> bool {
    let is_moment = prefix.contains("moment");
    values.iter().all(|v| v.is_finite() || v.is_infinite() && is_moment)
}

impl Vae {
    /// Reads a model from a `model.safetensors`, or from the run folder that holds one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Run`] when there is none or it is damaged, [`Error::Gpu`] when it
    /// does not fit the adapter.
    pub fn load(gpu: &Gpu, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = TensorFile::read(model_path(path)?)?;
        if file.contains("state") {
            let message = "is a checkpoint; give the model.safetensors beside it";
            return Err(Error::run(path, message));
        }
        let (model, image) = file.vae()?;
        let vae = Self::uninitialised(gpu, &model, image);
        let mut vae = vae.map_err(|e| match e {
            Error::Config { .. } | Error::Layer { .. } => {
                Error::run(path, format!("has an impossible config: {e}"))
            }
            other => other,
        })?;
        file.check_choices(gpu, &vae.problems())?;
        vae.set_choices(&Arc::new(file.header.choices.clone()));
        file.load_weights(gpu, vae.network().weights())?;
        Ok(vae)
    }

    /// Writes the model as a safetensors file in PyTorch's layout, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written, [`Error::Gpu`] when the adapter was lost.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_trained(path, None)
    }

    /// The same with how it was trained in its metadata.
    ///
    /// # Errors
    ///
    /// As [`Vae::save`].
    pub fn save_trained(&self, path: impl AsRef<Path>, train: Option<&TrainConfig>) -> Result<()> {
        let header = Header::of(self, train, self.choices());
        save_weights(self.gpu(), self.network().weights(), path, header)
    }
}

impl Weights {
    /// Writes the values of a model that is no [`Vae`] as a safetensors file in PyTorch's layout, whole or
    /// not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written, [`Error::Gpu`] when the adapter was lost.
    pub fn save(&self, gpu: &Gpu, path: impl AsRef<Path>) -> Result<()> {
        save_weights(gpu, self, path, Header::default())
    }

    /// Reads what [`Weights::save`] wrote for a model of the same modules.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Run`] when there is no such file, or it is damaged or another model's.
    pub fn load(&self, gpu: &Gpu, path: impl AsRef<Path>) -> Result<()> {
        TensorFile::read(path)?.load_weights(gpu, self)
    }
}

fn save_weights(
    gpu: &Gpu,
    weights: &Weights,
    path: impl AsRef<Path>,
    header: Header,
) -> Result<()> {
    let mut file = TensorFile::new(path, header);
    for values in weights.both() {
        file.insert_parameters("", values.layout(), &values.read(gpu)?)?;
    }
    file.write()
}

/// The model file of a run folder, or `path` itself where it is a file.
fn model_path(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        return Err(Error::run(path, "does not exist; give a run folder or a model.safetensors"));
    }
    let file = if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() };
    match crate::files::exists(&file) {
        true => Ok(file),
        false => Err(Error::run(path, "is no run folder: it holds no model.safetensors")),
    }
}
