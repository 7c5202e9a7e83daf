//! Images that stay in a file and are read from there when they are used.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{ImageShape, Images};
use crate::error::{Error, Result};

/// Bytes that are read at once where all images are gone through.
pub(crate) const BLOCK: usize = 16 << 20;

/// Bytes of memory that the host has left for this process.
pub(crate) fn available_memory() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    let limits = system.cgroup_limits();
    limits.map_or(u64::MAX, |limits| limits.free_memory).min(system.available_memory())
}

/// Images of one shape that lie in a file, one after the other, as [`Images`] has them in memory: one
/// byte a value, (image, channel, row, column). The images may be a choice of those in the file. Clones
/// share the open file.
#[derive(Clone, Debug)]
pub struct PackedImages {
    file: Arc<PixelFile>,
    /// The images' positions in the file; all of them in order if `None`.
    chosen: Option<Arc<[u32]>>,
    /// The CRC-32 of all pixels, where it is known.
    checksum: Option<u32>,
}

#[derive(Debug)]
struct PixelFile {
    path: PathBuf,
    file: Mutex<File>,
    shape: ImageShape,
    count: usize,
    /// Bytes in the file before the first image.
    offset: u64,
}

impl PackedImages {
    /// The `count` images of `shape` in the file at `path`, from byte `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when no image has that shape, [`Error::Io`] or [`Error::Data`] naming the file
    /// when it cannot be read or is too short.
    pub fn open(
        path: impl AsRef<Path>,
        shape: impl Into<ImageShape>,
        count: usize,
        offset: u64,
    ) -> Result<Self> {
        let path = path.as_ref();
        let file = crate::files::open(path).map_err(Error::io("read", path))?;
        Self::new(file, path, shape.into(), count, offset)
    }

    /// Those in the open `file`, which lies at `path`.
    pub(super) fn new(
        file: File,
        path: &Path,
        shape: ImageShape,
        count: usize,
        offset: u64,
    ) -> Result<Self> {
        shape.check()?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let needed = u128::from(offset) + count as u128 * shape.pixels() as u128;
        if needed > u128::from(length) {
            let message =
                format!("has {length} bytes, and {count} images of {shape} end at {needed}");
            return Err(Error::data(path, message));
        }
        let file =
            PixelFile { path: path.to_owned(), file: Mutex::new(file), shape, count, offset };
        Ok(Self { file: Arc::new(file), chosen: None, checksum: None })
    }

    /// The same, whose pixels have this CRC-32.
    pub(super) fn with_checksum(self, checksum: u32) -> Self {
        Self { checksum: Some(checksum), ..self }
    }

    /// The CRC-32 of all pixels, if it is known without reading them.
    pub(super) fn known_checksum(&self) -> Option<u32> {
        self.checksum
    }

    /// Shape of each image.
    pub fn shape(&self) -> ImageShape {
        self.file.shape
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.file.count, |chosen| chosen.len())
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The images at `rows`, in that order, still in the file. Panics if one is past the end.
    pub fn select(&self, rows: &[usize]) -> Self {
        let chosen = rows.iter().map(|&row| self.place(row) as u32).collect();
        Self { file: self.file.clone(), chosen: Some(chosen), checksum: None }
    }

    /// The images at `rows`, in that order, in memory. Panics if one is past the end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the file when it cannot be read.
    pub fn read(&self, rows: &[usize]) -> Result<Images> {
        let mut pixels = Vec::with_capacity(rows.len() * self.shape().pixels());
        self.append(rows, &mut pixels)?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Appends the pixels of the images at `rows`, in that order.
    pub(super) fn append(&self, rows: &[usize], pixels: &mut Vec<u8>) -> Result<()> {
        let PixelFile { path, file, offset, .. } = &*self.file;
        let size = self.shape().pixels();
        let places: Vec<usize> = rows.iter().map(|&row| self.place(row)).collect();
        let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Images that follow each other are read at once.
        for run in places.chunk_by(|a, b| a + 1 == *b) {
            let begin = pixels.len();
            pixels.resize(begin + run.len() * size, 0);
            file.seek(SeekFrom::Start(offset + run[0] as u64 * size as u64))
                .and_then(|_| file.read_exact(&mut pixels[begin..]))
                .map_err(Error::io("read", path))?;
        }
        Ok(())
    }

    /// The position in the file of image `row`.
    fn place(&self, row: usize) -> usize {
        assert!(row < self.len(), "image {row} of {}", self.len());
        self.chosen.as_ref().map_or(row, |chosen| chosen[row] as usize)
    }
}

impl PartialEq for PackedImages {
    /// Whether both are the same images of the same file.
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
            && (self.file.offset, self.shape(), self.len())
                == (other.file.offset, other.shape(), other.len())
            && self.chosen == other.chosen
    }
}
