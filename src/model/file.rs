//! Safetensors files with a configuration in their metadata: models and checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Model;
use crate::config::{Config, ModelConfig, TrainConfig};
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::gpu::Choices;

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

    /// The description that `config` is, or the fault of one that no model has.
    fn parsed(config: Value) -> std::result::Result<Self, String> {
        let header: Self = serde_json::from_value(config)
            .map_err(|e| format!("has a `config` of another kind ({e})"))?;
        let whole = Config {
            model: header.model.clone().unwrap_or_default(),
            train: header.train.clone().unwrap_or_default(),
            ..Config::default()
        };
        whole
            .check()
            .and_then(|()| header.image.map_or(Ok(()), |image| image.check()))
            .map_err(|e| format!("has an impossible config: {e}"))?;
        Ok(header)
    }
}

/// Named tensors of 32-bit values and the [`Header`] they belong to.
pub struct TensorFile {
    pub(super) path: PathBuf,
    /// The description of the model.
    pub header: Header,
    pub(super) tensors: Tensors,
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
        let parsed = parsed(&bytes).and_then(|(mut config, tensors)| {
            verify(&mut config, &tensors)?;
            Ok((Header::parsed(config)?, tensors))
        });
        let (header, tensors) = parsed.map_err(|message| Error::run(path, message))?;
        Ok(Self { path: path.to_owned(), header, tensors })
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

    pub(super) fn tensor(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&[u8]> {
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

/// The remedy of a damaged file.
pub(super) const RESTORE: &str = "restore it from a copy, or train again";

/// The description and the tensors in `bytes`, or the fault of a file that has none.
fn parsed(bytes: &[u8]) -> std::result::Result<(Value, Tensors), String> {
    let broken =
        |e: SafeTensorError| format!("is cut short or no safetensors file ({e}); {RESTORE}");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let config = metadata.metadata().as_ref().and_then(|metadata| metadata.get(CONFIG));
    let config = config.ok_or(
        "was not written by vae-gpu: its metadata has no `config`; give a model that vae-gpu trained",
    )?;
    let config = serde_json::from_str(config)
        .map_err(|e| format!("is damaged: its `config` is no JSON ({e}); {RESTORE}"))?;
    let views = SafeTensors::deserialize(bytes).map_err(broken)?;
    let own = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    Ok((config, views.tensors().into_iter().map(|(name, view)| (name, own(view))).collect()))
}

/// Takes the checksum out of the description `config`, if there is one, and fails unless it is that of
/// the rest and of `tensors`.
fn verify(config: &mut Value, tensors: &Tensors) -> std::result::Result<(), String> {
    let stated = config.as_object_mut().and_then(|config| config.remove(CHECKSUM));
    if stated.is_some_and(|stated| stated != checksum(config, tensors)) {
        return Err(format!(
            "is damaged, or was changed by another program: its checksum is of other contents; \
             {RESTORE}"
        ));
    }
    Ok(())
}

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
