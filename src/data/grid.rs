//! Pictures of many images.

use std::io::{Result as IoResult, Write};
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, StreamWriter, Writer};

use super::{ImageShape, Images, available_memory};
use crate::error::{Error, Result};
use crate::files::{self, Existing};

/// Pixels between two images of a grid.
const GAP: usize = 2;
/// Grey level of the background behind the images.
pub(crate) const BACKGROUND: u8 = 96;
/// The most pixels that a PNG has on a side.
const LONGEST: u64 = i32::MAX as u64;
/// Bytes of a row of images, which are in memory together, from which it has fewer of them.
const ROW: usize = 256 << 20;

/// The layout of a picture: `count` images of one shape, `columns` to a row.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub shape: ImageShape,
    pub count: usize,
    pub columns: usize,
    /// Words that the file holds, for who looks into it; empty for none.
    pub description: String,
}

impl Grid {
    /// The layout of at most `columns` to a row, without columns that would be empty; fewer where a row
    /// would take much memory.
    pub fn new(shape: ImageShape, count: usize, columns: usize) -> Self {
        let fitting = (ROW / shape.pixels().max(1)).max(1);
        Self { shape, count, columns: columns.min(count).min(fitting), description: String::new() }
    }

    /// Width and height in pixels.
    fn size(&self) -> [u64; 2] {
        let side = |count: usize, size: usize| (count as u64) * (size + GAP) as u64 + GAP as u64;
        let rows = self.count.div_ceil(self.columns.max(1));
        [side(self.columns, self.shape.width), side(rows, self.shape.height)]
    }

    /// Fails on a picture that cannot be.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there is no image, when a PNG cannot be as large, or a row of images takes
    /// more memory than there is.
    fn check(&self) -> Result<()> {
        let Self { shape, count, columns, .. } = self;
        if *count == 0 || *columns == 0 {
            return Err(Error::Input("a picture takes at least one image, and one column".into()));
        }
        let [width, height] = self.size();
        if width.max(height) > LONGEST {
            return Err(Error::Input(format!(
                "a picture of {count} images of {shape} would be {width}x{height}, and a PNG has at most \
                 {LONGEST} pixels on a side: ask for fewer images"
            )));
        }
        // Beside the row, an image as values and what a model makes of it.
        let (needed, left) = ((columns + 12) as u64 * shape.pixels() as u64, available_memory());
        if needed > left {
            return Err(Error::Input(format!(
                "a picture of images of {shape} takes {} MiB of memory, and {} MiB are left",
                needed >> 20,
                left >> 20
            )));
        }
        Ok(())
    }

    /// Writes the picture to `path`, whole or not at all, of the images that `images` hands over, in
    /// order. A file that is there becomes what `existing` says.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written, [`Error::Input`] when there is no such picture, and
    /// those of `images`.
    pub fn save(
        &self,
        path: &Path,
        existing: Existing,
        images: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        self.check()?;
        files::write_with(path, existing, |file| {
            let fails = |e| Error::io("write", path)(e);
            let mut writer = self.header(file).map_err(fails)?;
            let png = writer.stream_writer().map_err(|e| fails(e.into()))?;
            let mut drawing = Drawing { grid: self, png, row: Vec::new() };
            drawing.gap().map_err(fails)?;
            images(&mut |image| drawing.push(image).map_err(fails))?;
            drawing.finish().map_err(fails)?;
            writer.finish().map_err(|e| fails(e.into()))
        })
    }

    /// Writes what comes before the pixels.
    fn header<W: Write>(&self, out: W) -> IoResult<Writer<W>> {
        let [width, height] = self.size().map(|side| side as u32);
        let mut encoder = Encoder::new(out, width, height);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_color(match self.shape.channels {
            1 => ColorType::Grayscale,
            _ => ColorType::Rgb,
        });
        encoder.set_compression(Compression::Fast);
        if !self.description.is_empty() {
            encoder.add_text_chunk("Description".into(), self.description.clone())?;
        }
        Ok(encoder.write_header()?)
    }
}

/// A PNG that is written a row of images at a time.
struct Drawing<'a, W: Write> {
    grid: &'a Grid,
    png: StreamWriter<'a, W>,
    /// Images of the row that is not full yet, one after the other.
    row: Vec<u8>,
}

impl<W: Write> Drawing<'_, W> {
    fn push(&mut self, image: &[u8]) -> IoResult<()> {
        self.row.extend_from_slice(image);
        match self.row.len() < self.grid.columns * self.grid.shape.pixels() {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Writes the images of the row, in the background.
    fn flush(&mut self) -> IoResult<()> {
        let ImageShape { width, height, channels } = self.grid.shape;
        let mut line = vec![BACKGROUND; self.grid.size()[0] as usize * channels];
        let plane = width * height;
        for y in 0..height {
            let images = self.row.chunks(plane * channels);
            for (image, place) in
                images.zip(line[GAP * channels..].chunks_mut((width + GAP) * channels))
            {
                for c in 0..channels {
                    let values = &image[c * plane + y * width..][..width];
                    let places = place[c..].iter_mut().step_by(channels);
                    places.zip(values).for_each(|(place, value)| *place = *value);
                }
            }
            self.png.write_all(&line)?;
        }
        self.row.clear();
        self.gap()
    }

    /// Writes the background between two rows.
    fn gap(&mut self) -> IoResult<()> {
        let line = vec![BACKGROUND; self.grid.size()[0] as usize * self.grid.shape.channels];
        (0..GAP).try_for_each(|_| self.png.write_all(&line))
    }

    fn finish(mut self) -> IoResult<()> {
        if !self.row.is_empty() {
            self.flush()?;
        }
        Ok(self.png.finish()?)
    }
}

impl Images {
    /// Writes all images as one PNG, in a grid as square as possible.
    ///
    /// # Errors
    ///
    /// The same as [`Images::save_grid`].
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_grid(path, square(self.len()))
    }

    /// Writes all images as one PNG, `columns` to a row, on grey; one that has fewer than a row is no
    /// wider than they are.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written, [`Error::Input`] when there is no image or no PNG
    /// can be as large.
    pub fn save_grid(&self, path: impl AsRef<Path>, columns: usize) -> Result<()> {
        let grid = Grid::new(self.shape, self.len(), columns);
        grid.save(path.as_ref(), Existing::Replaced, |push| {
            (0..self.len()).try_for_each(|index| push(self.image(index)))
        })
    }
}

/// The columns of a grid of `count` images that is as square as possible.
pub(crate) fn square(count: usize) -> usize {
    (count as f64).sqrt().ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_no_empty_column_and_no_heavy_row() {
        let grid = |side: usize, count, columns| {
            let grid = Grid::new([1, side, side].into(), count, columns);
            (grid.columns, grid.size())
        };
        assert_eq!(grid(8, 1, 10), (1, [12, 12]));
        assert_eq!(grid(8, 7, 10), (7, [72, 12]));
        assert_eq!(grid(8, 17, 10), (10, [102, 22]));
        assert_eq!(grid(16_384, 17, 10), (1, [16_388, 278_564]));
    }

    #[test]
    fn what_no_png_can_hold_is_refused() {
        let grid = Grid::new([1, 65_535, 65_535].into(), 65_536, 256);
        let message = grid.check().unwrap_err().to_string();
        assert!(message.contains("a PNG has at most 2147483647 pixels on a side"), "{message}");
        assert!(Grid::new([1, 8, 8].into(), 0, 3).check().is_err());
    }
}
