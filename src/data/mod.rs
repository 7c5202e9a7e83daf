//! Datasets: tables of named columns, and readers for the supported formats, each ending in one
//! [`Dataset`].

mod background;
mod binarize;
mod column;
mod digits;
mod folder;
pub(crate) mod grid;
mod idx;
mod images;
mod levels;
mod note;
mod pack;
mod packed;
mod survey;
mod table;

pub use background::Background;
pub use binarize::Binarize;
pub use column::Column;
pub use images::{ImageShape, Images};
pub use note::Note;
pub use packed::PackedImages;
pub(crate) use packed::{BLOCK, available_memory};
pub use survey::Survey;
pub use table::Table;

use std::path::Path;

use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::error::{Error, Result, shown};

/// Options for reading a folder of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Size (width, height) to which every image is resized; if `None`, all must be of one size.
    pub size: Option<(usize, usize)>,
    /// Number of channels, 1 or 3, to which every image is converted; if `None`, it is 3 if any
    /// image is coloured, otherwise 1.
    pub channels: Option<usize>,
    /// Bytes of the host's memory, of which pixels take at most half; of larger datasets the pixels stay
    /// in a file, as a [`Column::Packed`]: an unpacked IDX file itself, or one in the cache's folder that is
    /// made once. If `None`, it is the memory that the host has left.
    pub memory: Option<u64>,
    /// Colour behind transparent pixels; if `None`, it is white or black, whichever is further from what
    /// can be seen.
    pub background: Option<Background>,
    /// The value in the files that stands for white; if `None`, it is 255, and in images of 16 bits 65535
    /// unless they use the lowest 14 bits at most.
    pub white: Option<u16>,
    /// Whether files that cannot be read are left out, rather than an error.
    pub skip_bad: bool,
}

/// The splits that a reader found.
type Splits = (Table, Option<Table>);

/// A training split and, if there is one, a test split.
///
/// ```
/// use vae_gpu::{Column, Dataset, Table};
///
/// # fn main() -> vae_gpu::Result<()> {
/// // Pixels from any source, (rows, channels, height, width).
/// let pixels: Vec<u8> = (0..10 * 3 * 8 * 8).map(|i| i as u8).collect();
/// let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
///
/// let train = Table::new()
///     .with("image", Column::images([3, 8, 8], &pixels))?
///     .with("label", Column::classes(["cat", "dog"], &labels))?;
/// let data = Dataset::new("pets", train, None)?.hold_out(0.2, 1)?;
/// assert_eq!((data.train.len(), data.test.unwrap().len()), (8, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Short name, such as `digits`, or the folder's name.
    pub name: String,
    /// Examples to train on; never empty.
    pub train: Table,
    /// Examples to evaluate on; never empty where present. Columns that both splits have are of one
    /// kind, shape and list of classes.
    pub test: Option<Table>,
    /// Remarks on how it was read, for people.
    pub notes: Vec<Note>,
}

impl Dataset {
    /// A dataset from tables. The test split may lack columns of the training split.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when a split has no row, [`Error::Column`] when a column differs in kind,
    /// shape or classes in the test split.
    pub fn new(name: impl Into<String>, train: Table, test: Option<Table>) -> Result<Self> {
        let name = name.into();
        for (split, table) in [("training", Some(&train)), ("test", test.as_ref())] {
            if table.is_some_and(Table::is_empty) {
                return Err(Error::Input(format!("the {split} split of {name} has no rows")));
            }
        }
        for (column, tested) in test.iter().flat_map(Table::columns) {
            let trained = train.column(column);
            if let Some([trained, tested]) = trained.and_then(|trained| trained.difference(tested))
            {
                let message = format!(
                    "has {trained} in the training split of {name}, but {tested} in its test split"
                );
                return Err(Error::Column { column: column.into(), message });
            }
        }
        Ok(Self { name, train, test, notes: Vec::new() })
    }

    /// The built-in dataset: 28×28 grey handwriting-like digits, 20,000 to train on and 2,000 to
    /// test, drawn by the program, the same every time, with the digits as labels.
    pub fn digits() -> Self {
        let table = |count, seed| {
            let (pixels, digits) = digits::draw(count, seed);
            Table::new()
                .with(Table::IMAGE, Column::images(ImageShape::DIGITS, pixels))
                .and_then(|table| table.with(Table::LABEL, Column::numbered_classes(10, digits)))
                .expect("every image shows one of ten digits")
        };
        Self {
            name: "digits".into(),
            train: table(20_000, 1),
            test: Some(table(2_000, 2)),
            notes: Vec::new(),
        }
    }

    /// Reads the dataset in folder `path` with default [`ReadOptions`]: see [`Dataset::read`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path, &ReadOptions::default())
    }

    /// Reads IDX files as MNIST, EMNIST or QMNIST ship them (gzipped or not; the files named `train`
    /// and `test` or `t10k` are the splits), or else a folder of PNG and JPEG images (recursive;
    /// `train/` and `test/` are the splits where present, otherwise every image is for training).
    /// IDX files may lie in folders below `path`, as in torchvision's `MNIST/raw`; where a folder
    /// holds those of several datasets, `path` must be one of the files.
    ///
    /// The tables have a column `image` and, where labels are known, one of classes, `label`: from
    /// the labels files beside IDX images, whose classes are called by their numbers, or from the
    /// folders in a split, such as `train/cat/1.png`, if all of its images lie in one. The classes
    /// of both splits are the same.
    ///
    /// Images are turned upright as their EXIF data says, resized by stretching, blended with
    /// [`ReadOptions::background`] where transparent, and reduced to 8 bits a channel. Of an animation the
    /// first image is read. Remarks on what was left aside and chosen are in [`Dataset::notes`].
    ///
    /// # Errors
    ///
    /// [`Error::Data`], [`Error::BadFiles`], [`Error::MixedSizes`] or [`Error::Io`] naming the files at
    /// fault; [`Error::Config`] for options that do not fit the folder.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        Self::survey(path, options)?.read()
    }

    /// Reads the headers of a dataset, for its shape and numbers of images, before it is decoded with
    /// [`Survey::read`].
    ///
    /// # Errors
    ///
    /// The same as [`Dataset::read`], about what headers tell.
    pub fn survey(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Survey> {
        Survey::new(path.as_ref(), options)
    }

    /// Shape of every image of both splits.
    ///
    /// # Errors
    ///
    /// The same as [`Table::shape`].
    pub fn shape(&self) -> Result<ImageShape> {
        self.train.shape()
    }

    /// Holds out a random `fraction` of the training rows as the test split, the same rows for the
    /// same `seed`, with all their columns; at least one row stays on either side.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the key `hold_out` when there is a test split already, when
    /// `fraction` is not strictly between 0 and 1, or when there are fewer than two rows.
    pub fn hold_out(mut self, fraction: f64, seed: u64) -> Result<Self> {
        let fails = |message: String| Err(Error::config("hold_out", shown(fraction), message));
        if self.test.is_some() {
            let name = &self.name;
            return fails(format!("the dataset {name} has a test split already; leave it out"));
        }
        if !(fraction > 0.0 && fraction < 1.0) {
            return fails("must lie between 0 and 1, as in 0.2".into());
        }
        let count = self.train.len();
        if count < 2 {
            return fails("takes at least two images".into());
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
