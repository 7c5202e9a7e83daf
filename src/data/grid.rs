//! Pictures of many images.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};

use super::Images;
use crate::error::{Error, Result};

/// Pixels between two images of a grid.
const GAP: usize = 2;
/// Grey level of the background behind the images.
pub(crate) const BACKGROUND: u8 = 96;

impl Images {
    /// Writes all images as one PNG, in a grid as square as possible.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written, [`Error::Input`] when there is no image.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_grid(path, (self.len() as f64).sqrt().ceil() as usize)
    }

    /// Writes all images as one PNG, `columns` to a row, on grey.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written, [`Error::Input`] when there is no image.
    pub fn save_grid(&self, path: impl AsRef<Path>, columns: usize) -> Result<()> {
        let path = path.as_ref();
        if self.is_empty() || columns == 0 {
            return Err(Error::Input("a picture takes at least one image, and one column".into()));
        }
        let (width, height) = (self.shape.width, self.shape.height);
        let side = |count: usize, size: usize| (count * (size + GAP) + GAP) as u32;
        let rows = self.len().div_ceil(columns);
        let mut grid =
            RgbImage::from_pixel(side(columns, width), side(rows, height), Rgb([BACKGROUND; 3]));
        for index in 0..self.len() {
            let (left, top) = (side(index % columns, width), side(index / columns, height));
            for (at, pixel) in self.rgb(index).enumerate() {
                let (x, y) = ((at % width) as u32, (at / width) as u32);
                grid.put_pixel(left + x, top + y, pixel);
            }
        }
        let mut bytes = Cursor::new(Vec::new());
        grid.write_to(&mut bytes, ImageFormat::Png).map_err(|e| Error::Io {
            path: path.into(),
            action: "encode",
            source: std::io::Error::other(e),
        })?;
        crate::files::write(path, bytes.get_ref())
    }

    /// The pixels of one image, row by row; those of grey images have three equal channels.
    fn rgb(&self, index: usize) -> impl Iterator<Item = Rgb<u8>> {
        let (image, plane) = (self.image(index), self.shape.width * self.shape.height);
        let channel = move |c: usize| (c % self.shape.channels) * plane;
        (0..plane).map(move |at| Rgb([0, 1, 2].map(|c| image[at + channel(c)])))
    }
}
