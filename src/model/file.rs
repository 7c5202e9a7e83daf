//! Safetensors files with a configuration in their metadata: models and checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Model, Vae};
use crate::config::{Config, ModelConfig, TrainConfig};
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu};
use crate::nn::{Layout, Parameters, Weights};
use crate::ops::matmul;

/// Key of the metadata under which the description lies.
const CONFIG: &str = "config";
/// Key within the description of the [`checksum`]. Files without it are taken as they are: it may be
/// deleted where tensors were changed on purpose.
const CHECKSUM: &str = "checksum";

/// The description of the model in a file, as JSON under the metadata key `config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The network and its objective; nothing for a model of another kind than a VAE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelConfig>,
    /// Shape of its images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageShape>,
    /// How it was trained, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainConfig>,
    /// Variants of the kernels that trained it, on which its last bits depend.
    #[serde(default)]
    pub choices: Choices,
}

impl Header {
    /// The description of `model`.
    pub fn of(model: &dyn Model, train: Option<&TrainConfig>, choices: &Choices) -> Self {
        let described = model.described();
        Self {
            model: described.map(|(model, _)| model.clone()),
            image: described.map(|(_, image)| image),
            train: train.cloned(),
            choices: choices.clone(),
        }
    }
}

/// Named tensors of 32-bit values and the [`Header`] they belong to.
pub struct TensorFile {
    path: PathBuf,
    /// The description of the model.
    pub header: Header,
    tensors: Tensors,
}

/// Type, shape and bytes of each tensor, by its name.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

impl TensorFile {
    /// An empty file that is to be written to `path`.
    pub fn new(path: impl AsRef<Path>, header: Header) -> Self {
        Self { path: path.as_ref().to_owned(), header, tensors: Tensors::new() }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::Run`] when it is damaged, is none of this
    /// program's, or describes an impossible model.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = crate::files::read(path).map_err(Error::io("read", path))?;
        let fails = |message: String| Error::run(path, message);
        let broken = |e: &dyn std::fmt::Display| {
            fails(format!("is cut short or no safetensors file ({e}); {RESTORE}"))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
        let config = metadata.metadata().as_ref().and_then(|m| m.get(CONFIG));
        let config = config.ok_or_else(|| {
            let message = "was not written by vae-gpu: its metadata has no `config`; give a model \
                           that vae-gpu trained";
            Error::run(path, message)
        })?;
        let views = SafeTensors::deserialize(&bytes).map_err(|e| broken(&e))?;
        let own = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        let tensors = views.tensors().into_iter().map(|(n, v)| (n, own(v))).collect();

        let foreign = |e: serde_json::Error| fails(format!("has a `config` of another kind ({e})"));
        let mut config: Value = serde_json::from_str(config)
            .map_err(|e| fails(format!("is damaged: its `config` is no JSON ({e}); {RESTORE}")))?;
        let stated = config.as_object_mut().and_then(|config| config.remove(CHECKSUM));
        if stated.is_some_and(|stated| stated != checksum(&config, &tensors)) {
            return Err(fails(format!(
                "is damaged, or was changed by another program: its checksum is of other \
                 contents; {RESTORE}"
            )));
        }
        let header: Header = serde_json::from_value(config).map_err(foreign)?;
        let whole = Config {
            model: header.model.clone().unwrap_or_default(),
            train: header.train.clone().unwrap_or_default(),
            ..Config::default()
        };
        whole
            .check()
            .and_then(|()| header.image.map_or(Ok(()), |image| image.check()))
            .map_err(|e| fails(format!("has an impossible config: {e}")))?;
        Ok(Self { path: path.to_owned(), header, tensors })
    }

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

    /// The configuration of the VAE in it, and the shape of its images.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when it holds a model of another kind.
    pub fn vae(&self) -> Result<(ModelConfig, ImageShape)> {
        let Header { model, image, .. } = &self.header;
        let described = model.clone().zip(*image);
        described.ok_or_else(|| Error::run(&self.path, "holds a model of another kind than a VAE"))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self) -> Result<()> {
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            (name, view.expect("the bytes of a tensor fill its shape"))
        });
        let mut config =
            serde_json::to_value(&self.header).expect("a header can be written as JSON");
        config[CHECKSUM] = checksum(&config, &self.tensors);
        // One key only: the order of several is not fixed, and equal models make equal files.
        let metadata = HashMap::from([(CONFIG.to_string(), config.to_string())]);
        let bytes = serialize(views, Some(metadata)).expect("tensors of known size serialize");
        crate::files::write(&self.path, &bytes)
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

    /// Adds words that are no parameters.
    pub fn insert_words(&mut self, name: &str, words: &[u32]) {
        let bytes = bytemuck::cast_slice(words).to_vec();
        self.tensors.insert(name.to_string(), (Dtype::U32, vec![words.len()], bytes));
    }

    /// Whether there is a tensor called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The `count` words called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when they are missing or of another number.
    pub fn words(&self, name: &str, count: usize) -> Result<Vec<u32>> {
        Ok(bytemuck::pod_collect_to_vec(self.tensor(name, Dtype::U32, &[count])?))
    }

    fn tensor(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&[u8]> {
        match self.tensors.get(name) {
            Some((d, s, bytes)) if *d == dtype && s == shape => Ok(bytes),
            Some((d, s, _)) => {
                let message = format!("{name} is {d:?} {s:?}, and should be {dtype:?} {shape:?}");
                Err(Error::run(&self.path, message))
            }
            None => Err(Error::run(&self.path, format!("has no tensor {name}"))),
        }
    }
}

/// Whether training can go on with `values`, which have names with `prefix`: with an infinite moment, never
/// with an infinite weight.
fn is_sound(prefix: &str, values: &[f32]) -> bool {
    let is_moment = prefix.contains("moment");
    values.iter().all(|v| v.is_finite() || v.is_infinite() && is_moment)
}

/// The remedy of a damaged file.
const RESTORE: &str = "restore it from a copy, or train again";

/// A checksum of the description `config` and of all `tensors`, as the description has it. It depends
/// on the values in JSON and not on how they are written, so that it survives other programs' copies.
fn checksum(config: &Value, tensors: &Tensors) -> Value {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(config.to_string().as_bytes());
    for (name, (dtype, shape, bytes)) in tensors {
        hasher.update(format!("\n{name} {dtype} {shape:?}\n").as_bytes());
        hasher.update(bytes);
    }
    format!("crc32 {:08x}", hasher.finalize()).into()
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
