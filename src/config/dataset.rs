//! Configuration of the dataset.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::require;
use crate::data::{Dataset, ImageShape, ReadOptions};
use crate::error::Result;

/// The dataset and how to read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DataConfig {
    /// `digits` for the built-in dataset, or a folder.
    pub path: PathBuf,
    /// Resize images to (width, height).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(usize, usize)>,
    /// Convert images to 1 or 3 channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Fraction of the training images to hold out as the test split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { path: "digits".into(), size: None, channels: None, validation: None }
    }
}

impl DataConfig {
    /// How to read it.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { size: self.size, channels: self.channels }
    }

    /// Shape of the images as far as `size` and `channels` state it, and of the built-in digits
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Input`] when no image has it.
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
    /// As [`Dataset::read`].
    pub fn read(&self) -> Result<Dataset> {
        if !self.is_builtin() {
            return Dataset::read(&self.path, &self.options());
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

    /// Whether it is the dataset that the program makes itself.
    pub fn is_builtin(&self) -> bool {
        // To the letter: `digits/` is a folder.
        self.path.as_os_str() == "digits"
    }
}
