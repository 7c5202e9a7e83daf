//! The one error type: what a user got wrong, or what the machine refused.

use std::path::{Path, PathBuf};

use crate::data::ImageShape;

/// Result of any fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, worded in one line that names the file or flag and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag, a configuration key or an argument with an impossible value.
    #[error("{0}")]
    Usage(String),
    /// Images of another shape than the model's.
    #[error("the model takes images of {model} (width x height x channels), and these are {given}")]
    Shape {
        /// What the model takes.
        model: ImageShape,
        /// What it was given.
        given: ImageShape,
    },
    /// A plain autoencoder was asked for draws from a prior, which it has not.
    #[error(
        "the model is a plain autoencoder, which has no prior to draw from; see what it makes of \
         images with `reconstruct`"
    )]
    NoPrior,
    /// A dataset that is missing, malformed or unusable.
    #[error("{}: {message}", path.display())]
    Data {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// A run folder, checkpoint or model file that cannot be used.
    #[error("{}: {message}", path.display())]
    Run {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// The operating system refused to read or write a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder at fault.
        path: PathBuf,
        /// What was attempted, as a verb: `read`, `write`, `create`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No adapter, or none of those present fits.
    #[error("{0}")]
    NoAdapter(String),
    /// The adapter refused: a limit exceeded, memory exhausted, the device lost.
    #[error("{0}")]
    Gpu(String),
}

impl Error {
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

    /// The exit code of a program that stops on this error: 2 for usage, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Shape { .. } | Self::NoPrior => 2,
            _ => 1,
        }
    }
}

/// A number as a file has it: 1 and 1e300, not 1.0 and three hundred digits.
pub(crate) fn shown(value: f64) -> String {
    format!("{value:?}").trim_end_matches(".0").into()
}
