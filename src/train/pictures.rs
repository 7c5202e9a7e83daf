//! The pictures of a run.

use std::path::Path;

use crate::data::grid::BACKGROUND;
use crate::data::{Images, Table};
use crate::error::Result;
use crate::model::{Vae, corrupted};

/// Name of the picture of new images.
pub(super) const SAMPLES: &str = "samples.png";
/// Name of the picture of images and their reconstructions.
pub(super) const RECONSTRUCTIONS: &str = "reconstructions.png";

/// Images in a row of a run's pictures.
pub const COLUMNS: usize = 10;
/// Images in `samples.png`.
const COUNT: usize = 100;

/// Writes the pictures of a run into `folder`: draws from the prior, if `model` has one, and
/// reconstructions of some of the images of `table`.
pub(super) fn write(folder: &Path, model: &Vae, table: &Table) -> Result<()> {
    if model.config().variational {
        model.sample(COUNT)?.save_grid(folder.join(SAMPLES), COLUMNS)?;
    }
    reconstructions(model, table, COUNT / 2)?.save_grid(folder.join(RECONSTRUCTIONS), COLUMNS)
}

/// The first `count` images of `table` and what `model` makes of them, for a grid of ten columns: a row
/// of originals above the row of their reconstructions; in between, for a model that restores them,
/// what it was given.
///
/// # Errors
///
/// As [`Table::read_images`] and [`Vae::reconstruct`].
pub fn reconstructions(model: &Vae, table: &Table, count: usize) -> Result<Images> {
    let originals: Vec<usize> = (0..count.min(table.len())).collect();
    let originals = table.read_images(&originals)?;
    let shape = originals.shape;
    let mut shown = vec![originals];
    if let Some(corruption) = model.config().corruption {
        shown.push(corrupted(model.gpu(), &shown[0], corruption)?);
    }
    shown.push(model.reconstruct(&shown[shown.len() - 1])?);
    let row = COLUMNS * shape.pixels();
    let mut pixels = Vec::new();
    for first in (0..shown[0].pixels.len()).step_by(row) {
        for kind in &shown {
            pixels.extend_from_slice(&kind.pixels[first..kind.pixels.len().min(first + row)]);
            // A last row that is not full is filled up, to keep the pairs in line.
            pixels.resize(pixels.len().next_multiple_of(row), BACKGROUND);
        }
    }
    Ok(Images { shape, pixels })
}
