//! Configuration of the dataset.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{at_home, require};
use crate::data::{Dataset, ImageShape, ReadOptions};
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
    /// Fraction of the training images to hold out as the test split.
    #[serde(skip_serializing_if = "Option::is_none", alias = "validation")]
    pub hold_out: Option<f64>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { path: "digits".into(), size: None, channels: None, hold_out: None }
    }
}

impl DataConfig {
    /// The options for reading the dataset.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { size: self.size, channels: self.channels, ..ReadOptions::default() }
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
        self.read_with(ReadOptions::default())
    }

    /// Reads the dataset as [`DataConfig::read`], with the `options` that it does not state.
    ///
    /// # Errors
    ///
    /// The same as [`Dataset::read`].
    pub fn read_with(&self, options: ReadOptions) -> Result<Dataset> {
        if !self.is_builtin() {
            let ReadOptions { size, channels, .. } = self.options();
            return Dataset::read(&self.path, &ReadOptions { size, channels, ..options });
        }
        let given = [
            ("size", self.size.map(|(width, height)| format!("{width}x{height}"))),
            ("channels", self.channels.map(|channels| channels.to_string())),
        ];
        for (key, value) in given {
            let message = "is for image folders, not for the built-in digits; leave it out";
            value.map_or(Ok(()), |value| require(false, key, value, message))?;
        }
        Ok(Dataset::digits())
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
