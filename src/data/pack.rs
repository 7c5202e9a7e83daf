//! Pixels on their way from a reader into a table: into memory, or, where there are too many, into a
//! file of the cache, which is made once for the same files and options.

mod kept;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use self::kept::{HEADER, Header};
use super::packed::BLOCK;
use super::{Column, ImageShape, Images, PackedImages, ReadOptions, available_memory};
use crate::error::{Error, Result};
use crate::files::Unfinished;

pub(super) use self::kept::source;

/// Where the images of one split go, one after the other.
pub(super) struct Sink {
    shape: ImageShape,
    pixels: Vec<u8>,
    /// The file, if they do not stay in memory.
    file: Option<Writer>,
}

struct Writer {
    file: NamedTempFile,
    unfinished: Unfinished,
    /// Where it is to stay; nowhere without a cache.
    path: Option<PathBuf>,
    source: String,
    images: usize,
    hasher: crc32fast::Hasher,
}

/// Whether pixels of so many bytes are to stay in memory: they take at most half of what `options`
/// allow, or else of what the host has left.
pub(super) fn fit_memory(options: &ReadOptions, bytes: u128) -> bool {
    bytes <= u128::from(options.memory.unwrap_or_else(available_memory) / 2)
}

/// The place of a split's images.
pub(super) enum Place {
    /// An earlier process has made them; whether some pixels were transparent before.
    Found(Column, bool),
    /// They are still to be made.
    New(Sink),
}

impl Place {
    /// A place for `images` images of `shape` from the folder or file `path`: in memory, or in the file of
    /// the cache that is made from `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] naming `path` when there is not so much memory, [`Error::Io`] naming the folder of
    /// the cache when nothing can be written there.
    pub fn of(
        path: &Path,
        shape: ImageShape,
        images: usize,
        source: Option<String>,
    ) -> Result<Self> {
        let Some(source) = source else {
            return Sink::in_memory(path, shape, images).map(Self::New);
        };
        // If some were left out, it does not say which. No checksum covers what it says of its shape.
        let fits =
            |(found, _): &(PackedImages, bool)| (found.len(), found.shape()) == (images, shape);
        match kept::find(&source).filter(fits) {
            Some((found, is_transparent)) => Ok(Self::Found(Column::Packed(found), is_transparent)),
            None => Sink::in_file(shape, source).map(Self::New),
        }
    }
}

impl Sink {
    /// A place in memory for `images` images of `shape`; [`Error::Data`] naming `folder` when there is
    /// not so much memory.
    fn in_memory(folder: &Path, shape: ImageShape, images: usize) -> Result<Self> {
        let mut pixels = Vec::new();
        let length = images.checked_mul(shape.pixels());
        if length.is_none_or(|length| pixels.try_reserve_exact(length).is_err()) {
            let message = format!(
                "{images} images of {shape} do not fit in memory; resize them to a smaller size"
            );
            return Err(Error::data(folder, message));
        }
        Ok(Self { shape, pixels, file: None })
    }

    /// A new file for images of `shape` that are made from `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the folder of the cache.
    fn in_file(shape: ImageShape, source: String) -> Result<Self> {
        let folder = kept::folder();
        let within = folder.clone().unwrap_or_else(std::env::temp_dir);
        let attempt = || {
            fs::create_dir_all(&within)?;
            kept::clean(&within);
            let file = kept::locked(&within)?;
            file.as_file().set_len(HEADER as u64)?;
            file.as_file().seek(SeekFrom::Start(HEADER as u64))?;
            Ok(file)
        };
        let file = attempt().map_err(Error::io("write into", &within))?;
        let path = folder.map(|folder| folder.join(kept::name(&source)));
        let hasher = crc32fast::Hasher::new();
        let unfinished = Unfinished::new(file.path());
        let writer = Writer { file, unfinished, path, source, images: 0, hasher };
        Ok(Self { shape, pixels: Vec::new(), file: Some(writer) })
    }

    /// Images that [`Sink::fill`] is best asked to take at a time, of `left` ones.
    pub fn block(&self, left: usize) -> usize {
        (4 * BLOCK / self.shape.pixels().max(1)).clamp(1, left.max(1))
    }

    /// Takes the images that `decode` puts into the place for at most `images` of them, and of which it
    /// says how many there are.
    ///
    /// # Errors
    ///
    /// What `decode` fails with; [`Error::Io`] naming the file when it cannot be written.
    pub fn fill(
        &mut self,
        images: usize,
        decode: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        let (begin, size) = (self.pixels.len(), self.shape.pixels());
        self.pixels.resize(begin + images * size, 0);
        let decoded = decode(&mut self.pixels[begin..])?;
        self.pixels.truncate(begin + decoded * size);
        if let Some(Writer { file, images, hasher, .. }) = &mut self.file {
            hasher.update(&self.pixels);
            *images += decoded;
            file.write_all(&self.pixels).map_err(Error::io("write", file.path()))?;
            self.pixels.clear();
        }
        Ok(())
    }

    /// The column of everything that it took; `is_transparent` says whether some pixels were transparent
    /// before, and is kept with them in a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the file when it cannot be written.
    pub fn finish(self, is_transparent: bool) -> Result<Column> {
        let Self { shape, pixels, file } = self;
        let Some(Writer { mut file, unfinished: _unfinished, path, source, images, hasher }) = file
        else {
            return Ok(Column::Images(Images { shape, pixels }));
        };
        let checksum = hasher.finalize();
        let header = Header { source, shape, images, checksum, is_transparent };
        let mut attempt = || {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header.line()?)
        };
        attempt().map_err(Error::io("write", path.as_deref().unwrap_or(file.path())))?;
        let (open, path) = match path {
            Some(path) => {
                let kept = file.persist(&path).map_err(|e| Error::io("write", &path)(e.error))?;
                (kept, path)
            }
            // Deleted while it is open: it goes with the process. Where that cannot be, it is litter, which
            // the system clears away.
            None => {
                let path = file.path().to_owned();
                let kept = file.reopen().map_err(Error::io("read", &path))?;
                (kept, path)
            }
        };
        let images = PackedImages::new(open, &path, shape, images, HEADER as u64)?;
        Ok(Column::Packed(images.with_checksum(checksum)))
    }
}
