//! Pictures that show what a model can do: new images, and images beside their reconstructions.

use std::path::Path;

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::data::grid::{BACKGROUND, Grid, square};
use crate::data::{ImageShape, Table};
use crate::error::Result;
use crate::files::Existing;
use crate::model::{Binarized, Classes, Input, Samples, Vae, corrupted};

/// Name of the picture of new images.
pub(super) const SAMPLES: &str = "samples.png";
/// Name of the picture of images and their reconstructions.
pub(super) const RECONSTRUCTIONS: &str = "reconstructions.png";

/// Images in a row of a run's pictures.
const COLUMNS: usize = 10;
/// The most images in `samples.png`.
const COUNT: usize = 100;
/// Values of all images of a run's picture, of which there are fewer where each is large: pictures are
/// made at every save, and must cost little beside training.
const VALUES: usize = 8 << 20;
/// Values that are given to a model at once.
const BLOCK: usize = 8 << 20;

/// The numbers of images that a run's pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pictured {
    /// New images.
    pub samples: usize,
    /// Images that stand above their reconstructions.
    pub reconstructions: usize,
    /// Whether there are fewer of both because each is large.
    pub few: [bool; 2],
}

impl Pictured {
    /// Those of images of `shape`, of a split of `rows`.
    pub fn of(shape: ImageShape, rows: usize) -> Self {
        let fitting = VALUES / shape.pixels().max(1);
        let samples = match fitting {
            // Whole rows.
            COLUMNS.. => COUNT.min(fitting / COLUMNS * COLUMNS),
            _ => fitting.max(1),
        };
        let pairs = samples.div_ceil(2);
        let few = samples < COUNT;
        Self { samples, reconstructions: pairs.min(rows), few: [few, few && pairs < rows] }
    }
}

/// Writes the pictures of a run into `folder`: draws from the prior, if `model` has one, and
/// reconstructions of some of the images of `table`.
pub(super) fn write(folder: &Path, model: &Vae, table: &Table) -> Result<()> {
    let Pictured { samples, reconstructions, .. } = Pictured::of(model.shape(), table.len());
    if model.config().variational {
        let (samples, path) = (Samples::new(samples, 0), folder.join(SAMPLES));
        save_samples_in(COLUMNS, model, samples, &path, Existing::Replaced)?;
    }
    let path = folder.join(RECONSTRUCTIONS);
    save_reconstructions(model, table, reconstructions, path, Existing::Replaced)
}

/// Writes the new images of [`Vae::sample_as`] to the PNG at `path`: a column for each class where they are
/// of all classes by turns, otherwise in a grid as square as possible. No more than a few of them are in
/// memory at a time. A file that is there becomes what `existing` says.
///
/// # Errors
///
/// As [`Vae::sample_as`]; [`crate::Error::Io`] when the file cannot be written, and
/// [`crate::Error::Input`] when no PNG can be as large.
pub fn save_samples(
    model: &Vae,
    samples: Samples,
    path: impl AsRef<Path>,
    existing: Existing,
) -> Result<()> {
    save_samples_in(square(samples.count), model, samples, path.as_ref(), existing)
}

/// The same in so many columns, unless there is one for each class.
fn save_samples_in(
    columns: usize,
    model: &Vae,
    samples: Samples,
    path: &Path,
    existing: Existing,
) -> Result<()> {
    let condition = model.config().condition.as_ref();
    let by_turns = condition.filter(|_| samples.classes == Classes::Turns);
    let columns = by_turns.map_or(columns, |condition| condition.classes.len());
    let grid = Grid::new(model.shape(), samples.count, columns);
    grid.save(path, existing, |push| {
        model.sample_blocks(samples, |images| {
            (0..images.len()).try_for_each(|index| push(images.image(index)))
        })
    })
}

/// Writes `count` images of `table`, spread over all of it, to the PNG at `path`, ten to a row, with a
/// row of their reconstructions below; in between, for a model that restores them, stands what it was
/// given. No more than a few of them are in memory at a time. A file that is there becomes what `existing`
/// says.
///
/// # Errors
///
/// As [`Table::read_images`] and [`Vae::reconstruct`]; [`crate::Error::Io`] when the file cannot be
/// written, and [`crate::Error::Input`] when no PNG can be as large or there is no image.
pub fn save_reconstructions(
    model: &Vae,
    table: &Table,
    count: usize,
    path: impl AsRef<Path>,
    existing: Existing,
) -> Result<()> {
    let (shape, corruption) = (table.shape()?, model.config().corruption);
    let condition = model.config().condition.as_ref();
    let classes = condition.map(|condition| condition.indices(table)).transpose()?;
    let rows = spread(table.len(), count);
    let kinds = if corruption.is_some() { 3 } else { 2 };
    let mut grid = Grid::new(shape, rows.len(), COLUMNS);
    let (columns, whole) = (grid.columns, rows.len().next_multiple_of(grid.columns.max(1)));
    grid.count = kinds * whole;
    grid.description = format!("rows, repeating: {}", row_names(model).join(", "));
    let block = (BLOCK / shape.pixels().max(1) / columns.max(1)).max(1) * columns;
    grid.save(path.as_ref(), existing, |push| {
        for chosen in rows.chunks(block.max(1)) {
            let images = match model.config().binarize {
                Some(how) => Binarized { table, how, seed: 0 }.images(chosen)?,
                None => table.read_images(chosen)?,
            };
            let mut shown = vec![images];
            if let Some(corruption) = corruption {
                shown.push(corrupted(model.gpu(), &shown[0], corruption)?);
            }
            let given = &shown[shown.len() - 1];
            let of_chosen =
                |all: &Vec<u32>| -> Vec<u32> { chosen.iter().map(|i| all[*i]).collect() };
            shown.push(match classes.as_ref().map(of_chosen) {
                Some(classes) => model.reconstruct(Input::Labelled(given, &classes))?,
                None => model.reconstruct(given)?,
            });
            let background = vec![BACKGROUND; shape.pixels()];
            for first in (0..chosen.len()).step_by(columns) {
                for kind in &shown {
                    for index in first..first + columns {
                        // A last row that is not full is filled up, to keep the pairs in line.
                        push(if index < chosen.len() { kind.image(index) } else { &background })?;
                    }
                }
            }
        }
        Ok(())
    })
}

/// The names of the rows of a picture of reconstructions, which repeat.
pub fn row_names(model: &Vae) -> &'static [&'static str] {
    match model.config().corruption {
        Some(_) => &["image", "corrupted image", "reconstruction"],
        None => &["image", "reconstruction"],
    }
}

/// Numbers of `count` of `rows` rows, or of all, in order and spread over them: one out of each of as many
/// equal parts, at random, so that neither rows in the order of their classes nor classes that take turns
/// show one class only. The same every time.
fn spread(rows: usize, count: usize) -> Vec<usize> {
    let count = count.min(rows);
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let begin = |part: usize| (part as u128 * rows as u128 / count as u128) as usize;
    (0..count).map(|part| random.random_range(begin(part)..begin(part + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_takes_every_part_and_no_rhythm() {
        assert_eq!(spread(5, 9), [0, 1, 2, 3, 4]);
        assert!(spread(0, 9).is_empty());
        for (rows, count) in [(10_000, 50), (10_000, 16), (33, 32), (100, 1)] {
            let chosen = spread(rows, count);
            assert_eq!(chosen.len(), count);
            assert!(chosen.is_sorted_by(|a, b| a < b), "{chosen:?}");
            let parts: Vec<_> = chosen.iter().map(|row| row * count / rows).collect();
            assert!(parts.iter().enumerate().all(|(i, part)| i.abs_diff(*part) <= 1), "{parts:?}");
        }
        let classes: std::collections::BTreeSet<_> =
            spread(10_000, 50).iter().map(|r| r % 10).collect();
        assert!(classes.len() > 8, "{classes:?}");
    }

    #[test]
    fn large_images_are_few() {
        let shown = |side: usize, rows| Pictured::of([1, side, side].into(), rows);
        let pictured = |samples, reconstructions, few| Pictured { samples, reconstructions, few };
        assert_eq!(shown(28, 10_000), pictured(100, 50, [false; 2]));
        assert_eq!(shown(28, 7), pictured(100, 7, [false; 2]));
        assert_eq!(shown(500, 40), pictured(30, 15, [true; 2]));
        assert_eq!(shown(2048, 40), pictured(2, 1, [true; 2]));
        assert_eq!(shown(65_535, 1), pictured(1, 1, [true, false]));
    }
}
