//! The one error type: what a caller got wrong, or what the machine refused.
//!
//! Messages name what is at fault and what to do about it, in one line and in the library's words:
//! the program puts its flags to them.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

use crate::data::ImageShape;
use crate::nn::Shape;
use crate::words::{counted, did_you_mean, shortened};

/// Result of any fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, worded in one line that names what is at fault and what to do about it.
///
/// ```
/// use vae_gpu::{Config, Error};
///
/// let mut config = Config::default();
/// config.train.epochs = 0;
/// match config.check() {
///     Err(Error::Config { key, .. }) => assert_eq!(key, "epochs"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key of a configuration, or an argument of that name, with an impossible value.
    #[error("{key} = {value}: {message}")]
    Config {
        /// The key within its section, as in `learning_rate` or `optimizer.momentum`.
        key: String,
        /// The value as it would be written.
        value: String,
        /// The requirement that it fails.
        message: String,
    },
    /// A configuration file that is none.
    #[error("{file}:{line}: {message}")]
    Toml {
        /// The file, or what stands for it.
        file: String,
        /// The line at fault, counted from 1.
        line: usize,
        /// The fault, with the key if that is known.
        message: String,
    },
    /// Another error, about the contents of a file or a thing that has a name.
    #[error("{name}: {error}")]
    Named {
        /// The file, or what stands for it.
        name: String,
        /// The error itself.
        error: Box<Error>,
    },
    /// A name that is none of those there are.
    #[error(
        "no {kind} is named `{}`; there are: {}{}", shortened(name), known.join(", "),
        did_you_mean(name, known.iter().copied())
    )]
    Unknown {
        /// The kind of thing that it should name, as in `preset`.
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// All that there are.
        known: Vec<&'static str>,
    },
    /// A layer that cannot be, or does not fit what comes before or after it.
    #[error("{layer}{}: {message}", place(.about, .input))]
    Layer {
        /// Its name, as in `encoder.3`; of a whole list of layers, `encoder` or `decoder`.
        layer: String,
        /// The layer in words and its place, as in `(linear 16), layer 4 of 5`; empty for a whole list.
        about: String,
        /// The shape of its input, if that is known.
        input: Option<Shape>,
        /// The requirement that it has.
        message: String,
    },
    /// Images of another shape than the model's.
    #[error("the model takes images of {model} (width x height x channels), and these are {given}")]
    Shape {
        /// The shape of the model's images.
        model: ImageShape,
        /// The shape of the images that it was given.
        given: ImageShape,
    },
    /// A column that cannot be, or does not fit its table.
    #[error("column {column}: {message}")]
    Column {
        /// Its name.
        column: String,
        /// The fault in it.
        message: String,
    },
    /// Images or values that cannot be taken: none at all, no whole number of rows, a shape that no
    /// image has.
    #[error("{0}")]
    Input(String),
    /// A phase of a model's step that cannot be: see [`crate::model::Step::update`].
    #[error("phase {phase}: {message}")]
    Phase {
        /// Its name.
        phase: String,
        /// The fault in it.
        message: String,
    },
    /// A batch that is larger than the dataset.
    #[error(
        "a batch of {batch_size}: the dataset {dataset} has only {}; use a smaller batch",
        counted(*images, "training image")
    )]
    Batch {
        /// Images in a batch.
        batch_size: usize,
        /// The dataset's name.
        dataset: String,
        /// Images to train on.
        images: usize,
    },
    /// A plain autoencoder was asked for draws from a prior, which it has not.
    #[error(
        "the model is a plain autoencoder, which has no prior to draw from; see what it makes of \
         images with `reconstruct`"
    )]
    NoPrior,
    /// A folder of images that are not of one size, where none was asked for.
    #[error(
        "{}: is {}x{} while {} is {}x{}; resize all images to one size",
        path.display(), size.0, size.1, first.display(), first_size.0, first_size.1
    )]
    MixedSizes {
        /// The first image that is of another size than the first of all.
        path: PathBuf,
        /// Its width and height.
        size: (usize, usize),
        /// The first image of all.
        first: PathBuf,
        /// Its width and height.
        first_size: (usize, usize),
    },
    /// Files of a folder that cannot be read as images.
    #[error("{}", bad_files(.folder, .files, *.total, *.images))]
    BadFiles {
        /// The folder.
        folder: PathBuf,
        /// The first ten of them, each with what is wrong with it.
        files: Vec<(PathBuf, String)>,
        /// The number of all of them.
        total: usize,
        /// The number of files that were to be read.
        images: usize,
    },
    /// A dataset that is missing, malformed or unusable.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file or folder at fault.
        path: PathBuf,
        /// The fault in it and the remedy.
        message: String,
    },
    /// A run folder, checkpoint or model file that cannot be used.
    #[error("{}: {message}", path.display())]
    Run {
        /// The file or folder at fault.
        path: PathBuf,
        /// The fault in it and the remedy.
        message: String,
    },
    /// A folder that is to hold a run and holds something.
    #[error(
        "{}: {}", path.display(),
        if *is_run { "is there already; resume it, overwrite it or choose another folder" }
        else { "is not empty and holds more than a run; choose another folder" }
    )]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Whether it holds a run and nothing else, so that it could be overwritten.
        is_run: bool,
    },
    /// A run folder that another process trains in or saves to.
    #[error(
        "{}: is in use by {}, which trains in it; wait until that ends, or stop it",
        path.display(), process.map_or("another process".into(), |id| format!("process {id}"))
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, where the system tells.
        process: Option<u32>,
    },
    /// The operating system refused to read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder at fault.
        path: PathBuf,
        /// The attempt, as a verb: `read`, `write`, `create`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Training that has diverged: what it computes is no finite number any more.
    #[error("{what} is no longer finite (epoch {epoch}, step {step}); use a smaller learning rate")]
    Diverged {
        /// The loss, or the name of a parameter.
        what: String,
        /// The epoch, counted from 1.
        epoch: u32,
        /// Steps that were taken.
        step: u32,
    },
    /// A model whose weights or outputs are no finite numbers.
    #[error(
        "{what} is not finite: the model has diverged; train it again with a smaller learning rate"
    )]
    NotFinite {
        /// The loss, an output, or the name of a parameter.
        what: String,
    },
    /// There is no adapter.
    #[error("{0}")]
    NoAdapter(String),
    /// There are adapters, and none is the one that was asked for.
    #[error(
        "no adapter has `{}` as its index or in its name; there are: {}", shortened(wanted),
        known.join(", ")
    )]
    NoSuchAdapter {
        /// The name or index that was asked for.
        wanted: String,
        /// Index and name of each.
        known: Vec<String>,
    },
    /// Something does not fit what the adapter can hold, which is known before it is tried.
    #[error(
        "{load}: {} MiB in {place}, where the adapter {adapter} holds at most {}; {}",
        bytes.div_ceil(1 << 20), limit >> 20, load.remedy()
    )]
    TooLarge {
        /// The thing that does not fit.
        load: Load,
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that the adapter allows.
        limit: u64,
        /// The place that limits it: `a buffer` or `a tensor`.
        place: &'static str,
        /// The adapter's name.
        adapter: String,
    },
    /// The adapter's memory is exhausted.
    #[error("the adapter is out of memory: make the batch, the model or the dataset smaller")]
    OutOfMemory,
    /// The adapter cannot be opened, refused a command, computes wrongly or was lost.
    #[error("{0}")]
    Gpu(String),
}

/// A thing that must fit an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Load {
    /// All images of a split.
    Dataset,
    /// All parameters of a model.
    Parameters,
    /// The workspace of a training step.
    Step,
    /// The workspace of an evaluation's batch.
    Batch,
    /// The workspace of a model for a single image.
    Image,
}

impl Load {
    /// The remedy where it does not fit.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Dataset => "use fewer or smaller images",
            Self::Parameters | Self::Image => "use smaller layers",
            Self::Step | Self::Batch => "use a smaller batch",
        }
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dataset => "the dataset",
            Self::Parameters => "all parameters of the model",
            Self::Step => "a training step",
            Self::Batch => "a batch",
            Self::Image => "an image",
        })
    }
}

impl Error {
    /// A [`Error::Config`] about `key`.
    pub(crate) fn config(
        key: impl Into<String>,
        value: impl Display,
        message: impl Into<String>,
    ) -> Self {
        let value = shortened(&value.to_string());
        Self::Config { key: key.into(), value, message: message.into() }
    }

    /// A [`Error::Layer`] about a whole list of layers.
    pub(crate) fn layers(name: &str, message: impl Into<String>) -> Self {
        let (layer, about) = (name.into(), String::new());
        Self::Layer { layer, about, input: None, message: message.into() }
    }

    /// A [`Error::Data`] about `path`.
    pub fn data(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Data { path: path.as_ref().to_owned(), message: message.into() }
    }

    /// A [`Error::Run`] about `path`.
    pub fn run(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Run { path: path.as_ref().to_owned(), message: message.into() }
    }

    /// Turns an [`std::io::Error`] met while doing `action` to `path` into an [`Error::Io`];
    /// for use with `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, action, source }
    }
}

/// Names the first of some bad files, and what to do about all.
fn bad_files(folder: &Path, files: &[(PathBuf, String)], total: usize, images: usize) -> String {
    let first = files.first().map(|(path, reason)| format!("{}: {reason}", path.display()));
    let first = first.unwrap_or_default();
    match total {
        1 => format!("{first}; replace it or take it out of the folder"),
        _ => format!(
            "{}: {total} of {images} images cannot be read; replace them or take them out of the folder; \
             the first is {first}",
            folder.display()
        ),
    }
}

/// The words behind a layer's name.
fn place(about: &str, input: &Option<Shape>) -> String {
    let given = match input {
        Some(Shape::Features(count)) => format!(", given {}", counted(*count, "feature")),
        Some(map) => format!(", given maps of {map}"),
        None => String::new(),
    };
    let space = if about.is_empty() { "" } else { " " };
    format!("{space}{about}{given}")
}

/// A number as a file has it: 1 and 1e300, not 1.0 and three hundred digits.
pub(crate) fn shown(value: f64) -> String {
    format!("{value:?}").trim_end_matches(".0").into()
}
