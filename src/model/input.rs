//! Images as a caller has them.

use std::borrow::Cow;

use super::{Classes, Vae};
use crate::config::{Condition, ModelConfig};
use crate::data::{Binarize, ImageShape, Images, Table};
use crate::error::{Error, Result};
use crate::nn::Shape;

/// Images that a model is given: (rows, channels, height, width), of the model's shape.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A byte a value, 0 to 255 standing for 0 to 1.
    Bytes(&'a [u8]),
    /// Values as the encoder takes them, for pixels from 0 to 1.
    Values(&'a [f32]),
    /// Images that say what shape they have.
    Images(&'a Images),
    /// The same for a conditional model, with the index of each one's class.
    Labelled(&'a Images, &'a [u32]),
    /// Those of the first column of images, which are read a block at a time where they lie in a file, and
    /// the classes that a conditional model asks for.
    Table(&'a Table),
    /// The same, black and white.
    Binarized(Binarized<'a>),
}

/// Images of a table as a model takes them that binarises its pixels.
#[derive(Clone, Copy, Debug)]
pub struct Binarized<'a> {
    /// The table.
    pub table: &'a Table,
    /// How its pixels become black or white.
    pub how: Binarize,
    /// The seed of the draws.
    pub seed: u64,
}

impl<'a> From<&'a Table> for Input<'a> {
    fn from(table: &'a Table) -> Self {
        Self::Table(table)
    }
}

impl<'a> From<&'a Images> for Input<'a> {
    fn from(images: &'a Images) -> Self {
        Self::Images(images)
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a [f32]> for Input<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Values(values)
    }
}

impl<'a> From<&'a Vec<u8>> for Input<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<f32>> for Input<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Self::Values(values)
    }
}

impl Binarized<'_> {
    /// The images at `rows`.
    pub(crate) fn images(&self, rows: &[usize]) -> Result<Images> {
        let mut images = self.table.read_images(rows)?;
        let size = images.shape.pixels();
        self.how.apply(self.seed, rows.iter().copied(), size, &mut images.pixels);
        Ok(images)
    }
}

impl<'a> Input<'a> {
    /// The images of `table` as the model of `config` is trained on them: black and white, by `seed`, where it
    /// binarises them.
    pub fn of(config: &ModelConfig, table: &'a Table, seed: u64) -> Self {
        match config.binarize {
            Some(how) => Self::Binarized(Binarized { table, how, seed }),
            None => Self::Table(table),
        }
    }

    /// Number of images; fails unless the values are those of whole images of the model's shape.
    pub(super) fn rows(self, shape: ImageShape) -> Result<usize> {
        let given = match self {
            Self::Images(images) | Self::Labelled(images, _) => images.shape,
            Self::Table(table) | Self::Binarized(Binarized { table, .. }) => table.shape()?,
            Self::Bytes(_) | Self::Values(_) => shape,
        };
        if given != shape {
            return Err(Error::Shape { model: shape, given });
        }
        let length = match self {
            Self::Table(table) | Self::Binarized(Binarized { table, .. }) => return Ok(table.len()),
            Self::Images(images) | Self::Labelled(images, _) => images.pixels.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Values(values) => values.len(),
        };
        match length.checked_rem(shape.pixels()) {
            Some(0) => Ok(length / shape.pixels()),
            _ => Err(Error::Input(format!(
                "{length} values are no whole number of images of {shape} (width x height x \
                 channels), which have {} each",
                shape.pixels()
            ))),
        }
    }

    /// The index of each image's class for a model that is conditioned on them.
    pub(super) fn classes(self, condition: &Condition, rows: usize) -> Result<Cow<'a, [u32]>> {
        let classes = match self {
            Self::Labelled(_, classes) => Cow::Borrowed(classes),
            Self::Table(table) | Self::Binarized(Binarized { table, .. }) => {
                Cow::Owned(condition.indices(table)?)
            }
            Self::Images(_) | Self::Bytes(_) | Self::Values(_) => {
                return Err(Error::Input(format!(
                    "the model is conditioned on {}; give images with their classes, as \
                     Input::Labelled or a table",
                    condition.column
                )));
            }
        };
        Classes::Each(&classes).check(rows, condition)?;
        Ok(classes)
    }

    /// The values of `count` images from number `first` on, laid out as a network takes `shape`.
    pub(super) fn values(self, first: usize, count: usize, shape: Shape) -> Result<Vec<f32>> {
        let rows = first..first + count;
        let range = first * shape.values()..(first + count) * shape.values();
        let pixels = |bytes: &[u8]| bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let values: Vec<f32> = match self {
            Self::Images(images) | Self::Labelled(images, _) => pixels(&images.pixels[range]),
            Self::Bytes(bytes) => pixels(&bytes[range]),
            Self::Values(values) => values[range].to_vec(),
            Self::Table(table) => pixels(&table.read_images(&rows.collect::<Vec<_>>())?.pixels),
            Self::Binarized(binarized) => {
                pixels(&binarized.images(&rows.collect::<Vec<_>>())?.pixels)
            }
        };
        Ok(shape.channels_last(values))
    }
}

impl Vae {
    /// Fails unless `images` have the model's shape.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] with both shapes.
    pub fn check_shape(&self, images: &Images) -> Result<()> {
        Input::from(images).rows(self.shape()).map(drop)
    }
}
