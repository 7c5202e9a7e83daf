//! Configuration of the dataset.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{at_home, require};
use crate::data::{Background, Dataset, ImageShape, ReadOptions, Survey};
use crate::error::Result;

/// The dataset and the options for reading it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DataConfig {
    /// `digits` for the built-in dataset, or a folder. In a file, a relative path is relative to the file's
    /// folder, and `~` at its beginning is the home folder.
    #[serde(with = "super::path")]
    pub path: PathBuf,
    /// Size (width, height) to which images are resized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(usize, usize)>,
    /// Number of channels, 1 or 3, to which images are converted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Colour behind transparent pixels: `white`, `black` or as in `#ff8000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// The value in the files that stands for white.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub white: Option<u16>,
    /// Whether files that cannot be read are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_bad: bool,
    /// Fraction of the training images to hold out as the test split.
    #[serde(skip_serializing_if = "Option::is_none", alias = "validation")]
    pub hold_out: Option<f64>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            path: "digits".into(),
            size: None,
            channels: None,
            background: None,
            white: None,
            skip_bad: false,
            hold_out: None,
        }
    }
}

impl DataConfig {
    /// The options for reading the dataset.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            size: self.size,
            channels: self.channels,
            background: self.background,
            white: self.white,
            skip_bad: self.skip_bad,
            memory: None,
        }
    }

    /// The shape of the images by `size` and `channels`; where these state nothing, that of the
    /// built-in digits.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Input`] when the shape is invalid.
    pub fn stated_shape(&self) -> Result<ImageShape> {
        let ImageShape { width, height, channels } = ImageShape::DIGITS;
        let (width, height) = self.size.unwrap_or((width, height));
        let shape = ImageShape { width, height, channels: self.channels.unwrap_or(channels) };
        shape.check().map(|()| shape)
    }

    /// Reads the dataset, without holding anything out.
    ///
    /// # Errors
    ///
    /// The same as [`Dataset::read`].
    pub fn read(&self) -> Result<Dataset> {
        self.survey(None)?.read()
    }

    /// Reads what the headers of the dataset's files say, without holding anything out. The dataset may take
    /// so many bytes of `memory`, as in [`ReadOptions::memory`].
    ///
    /// # Errors
    ///
    /// The same as [`Dataset::survey`].
    pub fn survey(&self, memory: Option<u64>) -> Result<Survey> {
        if !self.is_builtin() {
            return Dataset::survey(&self.path, &ReadOptions { memory, ..self.options() });
        }
        let given = [
            ("size", self.size.map(|(width, height)| format!("{width}x{height}"))),
            ("channels", self.channels.map(|channels| channels.to_string())),
            ("background", self.background.map(|background| background.to_string())),
            ("white", self.white.map(|white| white.to_string())),
        ];
        for (key, value) in given {
            let message = "is for image folders, not for the built-in digits; leave it out";
            value.map_or(Ok(()), |value| require(false, key, value, message))?;
        }
        Dataset::digits().try_into()
    }

    /// Takes a path that a file in `folder` names relative to it.
    pub(crate) fn locate(&mut self, folder: &Path) {
        if !self.is_builtin() {
            self.path = folder.join(at_home(&self.path));
        }
    }

    /// Whether it is the built-in dataset.
    pub fn is_builtin(&self) -> bool {
        // The string must be equal: `digits/` is a folder.
        self.path.as_os_str() == "digits"
    }
}
