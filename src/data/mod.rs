//! Datasets: readers for the supported formats, each ending in one [`Dataset`].

mod digits;
mod folder;
pub(crate) mod grid;
mod idx;

use std::path::Path;

use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Width, height and channels of every image of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl ImageShape {
    /// Of the built-in digits, and of MNIST's.
    pub const DIGITS: Self = Self { width: digits::SIDE, height: digits::SIDE, channels: 1 };

    /// Fails on a shape that no image of this program has.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] naming the shape.
    pub fn check(&self) -> Result<()> {
        let sides = [self.width, self.height].iter().all(|side| (1..=65_535).contains(side));
        if sides && matches!(self.channels, 1 | 3) {
            return Ok(());
        }
        Err(Error::Usage(format!("images of {self}: no such shape can be")))
    }

    /// Values per image: channels × height × width.
    pub fn pixels(&self) -> usize {
        self.width * self.height * self.channels
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
    /// (count, channels, height, width), row-major.
    pub pixels: Vec<u8>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.pixels()
    }

    /// Whether there are none.
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

/// How to read a folder of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Resize every image to (width, height); without it all must be of one size.
    pub size: Option<(usize, usize)>,
    /// Convert every image to 1 or 3 channels; without it 3 if any is coloured, else 1.
    pub channels: Option<usize>,
}

/// A training split and, where there is one, a test split.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Short name: `digits`, or the folder's.
    pub name: String,
    /// Images to train on; never empty.
    pub train: Images,
    /// Images to evaluate on; same shape as `train`; never empty where present.
    pub test: Option<Images>,
}

impl Dataset {
    /// The built-in dataset: 28×28 grey handwriting-like digits, 20,000 to train on and 2,000 to
    /// test, drawn by the program and the same every time.
    pub fn digits() -> Self {
        let shape = ImageShape::DIGITS;
        let images = |count, seed| Images { shape, pixels: digits::draw(count, seed) };
        Self { name: "digits".into(), train: images(20_000, 1), test: Some(images(2_000, 2)) }
    }

    /// Reads the dataset in folder `path` with default [`ReadOptions`]: see [`Dataset::read`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path, &ReadOptions::default())
    }

    /// Reads an IDX folder as MNIST ships it (gzipped or not; the `train` and `t10k` files are the
    /// splits), or else a folder of PNG and JPEG images (recursive; `train/` and `test/` are the
    /// splits where present, otherwise every image is for training).
    ///
    /// PNG and JPEG images are turned upright as their EXIF data says, resized by stretching,
    /// blended with black where transparent, and reduced to 8 bits a channel.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] or [`Error::Io`] naming the file at fault; [`Error::Usage`] for options
    /// that do not fit the folder.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(Error::io("read the dataset", path))?;
        if !metadata.is_dir() {
            return Err(Error::data(
                path,
                "is not a folder; --data takes a folder of IDX files or of PNG/JPEG images",
            ));
        }
        let (train, test) = match idx::read(path, options)? {
            Some(splits) => splits,
            None => folder::read(path, options)?,
        };
        let canonical = path.canonicalize().map_err(Error::io("read", path))?;
        let name = canonical.file_name().map_or("data".into(), |n| n.to_string_lossy().into());
        Ok(Self { name, train, test })
    }

    /// Shape of every image of both splits.
    pub fn shape(&self) -> ImageShape {
        self.train.shape
    }

    /// Holds out a random `fraction` of the training images as the test split, the same images for
    /// the same `seed`; at least one image stays on either side.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there is a test split already, when `fraction` is not strictly
    /// between 0 and 1, or when there are fewer than two images.
    pub fn hold_out(mut self, fraction: f64, seed: u64) -> Result<Self> {
        if self.test.is_some() {
            return Err(Error::Usage(format!(
                "--validation: the dataset {} has a test split already; leave it out",
                self.name
            )));
        }
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::Usage(format!(
                "--validation {fraction}: must lie between 0 and 1, as in 0.2"
            )));
        }
        let count = self.train.len();
        if count < 2 {
            return Err(Error::Usage("--validation: takes at least two images".into()));
        }
        let held_out = ((count as f64 * fraction).round() as usize).clamp(1, count - 1);
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (test, train) = order.split_at_mut(held_out);
        test.sort_unstable();
        train.sort_unstable();
        self.test = Some(self.train.select(test));
        self.train = self.train.select(train);
        Ok(self)
    }
}
