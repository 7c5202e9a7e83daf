//! Images as bytes, and their shape.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::digits;
use crate::error::{Error, Result};

/// Width, height and channels of every image of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Number of channels: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl ImageShape {
    /// The shape of the built-in digits, and of MNIST's.
    pub const DIGITS: Self = Self { width: digits::SIDE, height: digits::SIDE, channels: 1 };

    /// Fails unless both sides are 1 to 65,535 and there are 1 or 3 channels.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] naming the shape.
    pub fn check(&self) -> Result<()> {
        let sides = [self.width, self.height].iter().all(|side| (1..=65_535).contains(side));
        if sides && matches!(self.channels, 1 | 3) {
            return Ok(());
        }
        Err(Error::Input(format!(
            "images of {self} (width x height x channels): no such shape can be; there must be 1 or 3 \
             channels, and 1 to 65535 rows and columns"
        )))
    }

    /// Values per image: channels × height × width.
    pub fn pixels(&self) -> usize {
        self.width * self.height * self.channels
    }
}

/// Converts from PyTorch's shape of an image, (channels, height, width).
impl From<[usize; 3]> for ImageShape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        Self { width, height, channels }
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.width, self.height, self.channels)
    }
}

/// Images of one shape, one byte a value, 0 to 255 standing for 0 to 1.
///
/// Pixels are laid out as PyTorch's NCHW: (image, channel, row, column).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Shape of each image.
    pub shape: ImageShape,
    /// Pixels (count, channels, height, width), row-major.
    pub pixels: Vec<u8>,
}

impl Images {
    /// Images of `shape` from float values from 0 to 1, which are clamped and rounded to bytes.
    ///
    /// # Errors
    ///
    /// The same as [`Images::new`].
    pub fn from_values(shape: impl Into<ImageShape>, values: &[f32]) -> Result<Self> {
        Self::new(shape, Self::quantised(values))
    }

    /// Converts values from 0 to 1 to bytes; values outside are clamped.
    pub(crate) fn quantised(values: &[f32]) -> Vec<u8> {
        values.iter().map(|value| (value * 255.0).round() as u8).collect()
    }

    /// Images of `shape`, which may be written `[channels, height, width]`, from the `pixels` of
    /// all of them, (count, channels, height, width). Borrowed pixels are copied; a `Vec` is moved.
    ///
    /// ```
    /// # fn main() -> vae_gpu::Result<()> {
    /// let two = vae_gpu::Images::new([1, 2, 3], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])?;
    /// assert_eq!((two.len(), two.image(1)), (2, &[1, 2, 3, 4, 5, 6][..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when no image has that shape, or when the pixels are not those of a whole
    /// number of images.
    pub fn new<'a>(shape: impl Into<ImageShape>, pixels: impl Into<Cow<'a, [u8]>>) -> Result<Self> {
        let images = Self { shape: shape.into(), pixels: pixels.into().into_owned() };
        images.check().map(|()| images)
    }

    /// Fails if [`Images::new`] would: the fields are public and can be set to anything.
    pub(super) fn check(&self) -> Result<()> {
        self.shape.check()?;
        let (found, each) = (self.pixels.len(), self.shape.pixels());
        if found.is_multiple_of(each) {
            return Ok(());
        }
        Err(Error::Input(format!(
            "{found} bytes are no whole number of images of {}, which take {each} each",
            self.shape
        )))
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        // A shape without pixels is possible in the fields, and means no images.
        self.pixels.len().checked_div(self.shape.pixels()).unwrap_or(0)
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The pixels of image `index`, (channels, height, width). Panics past the end.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.pixels();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// The images at `indices`, in that order. Panics if one is past the end.
    pub fn select(&self, indices: &[usize]) -> Self {
        let pixels = indices.iter().flat_map(|&i| self.image(i)).copied().collect();
        Self { shape: self.shape, pixels }
    }
}
