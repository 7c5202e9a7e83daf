//! Pixels on their way from a reader into a table: into memory, or, where there are too many, into a
//! file of the cache, which is made once for the same files and options.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::packed::BLOCK;
use super::{Column, ImageShape, Images, PackedImages, ReadOptions, available_memory};
use crate::cache;
use crate::error::{Error, Result};
use crate::files::Unfinished;

/// Bytes of a file before its pixels: the header as a line of JSON, filled up with spaces.
const HEADER: usize = 4096;
/// How the names of the files end.
const SUFFIX: &str = ".pixels";
/// How the names of unfinished files begin.
const UNFINISHED: &str = "unfinished-";
/// Time after its last use when a file is deleted.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a file says of itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    /// What the pixels were made from.
    source: String,
    shape: ImageShape,
    images: usize,
    /// CRC-32 of the pixels.
    checksum: u32,
}

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

/// Describes what pixels are made from: the options, and each file's path, length and time.
///
/// # Errors
///
/// [`Error::Io`] naming a file that cannot be read.
pub(super) fn source<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = &'a Path>,
    options: &ReadOptions,
) -> Result<String> {
    let (mut hasher, mut count, mut bytes) = (DefaultHasher::new(), 0, 0);
    for path in files {
        let read = |metadata: fs::Metadata| Ok((metadata.len(), metadata.modified()?));
        let (length, modified) =
            fs::metadata(path).and_then(read).map_err(Error::io("read", path))?;
        (path, length, modified).hash(&mut hasher);
        (count, bytes) = (count + 1, bytes + length);
    }
    // The bound on memory changes no pixel.
    let options = ReadOptions { memory: None, ..options.clone() };
    let files = format!("{count} files, {bytes} bytes, {:016x}", hasher.finish());
    Ok(format!("{}: {files}; {options:?}", folder.display()))
}

/// The place of a split's images.
pub(super) enum Place {
    /// An earlier process has made them.
    Found(Column),
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
        // If some were left out, it does not say which.
        let is_whole = |found: &Column| found.rows() == Ok(images);
        match find(&source).filter(is_whole) {
            Some(found) => Ok(Self::Found(found)),
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
        let folder = folder();
        let within = folder.clone().unwrap_or_else(std::env::temp_dir);
        let attempt = || {
            fs::create_dir_all(&within)?;
            clean(&within);
            let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&within)?;
            // By this lock, which ends with the process, another one knows that it is not litter.
            file.as_file().try_lock()?;
            file.as_file().set_len(HEADER as u64)?;
            file.as_file().seek(SeekFrom::Start(HEADER as u64))?;
            Ok(file)
        };
        let file = attempt().map_err(Error::io("write into", &within))?;
        let path = folder.map(|folder| folder.join(name(&source)));
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

    /// The column of everything that it took.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the file when it cannot be written.
    pub fn finish(self) -> Result<Column> {
        let Self { shape, pixels, file } = self;
        let Some(Writer { mut file, unfinished: _unfinished, path, source, images, hasher }) = file
        else {
            return Ok(Column::Images(Images { shape, pixels }));
        };
        let checksum = hasher.finalize();
        let header = Header { source, shape, images, checksum };
        let mut attempt = || {
            let mut line = serde_json::to_vec(&header)?;
            line.resize(line.len().max(HEADER - 1), b' ');
            line.push(b'\n');
            if line.len() > HEADER {
                return Err(std::io::Error::other("the path of the dataset is too long"));
            }
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&line)
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

/// The images that an earlier process made from `source`, if they are still there and whole.
fn find(source: &str) -> Option<Column> {
    let path = folder()?.join(name(source));
    let images = check(&path, source);
    if let Err(reason) = &images
        && path.exists()
    {
        log::warn!("{}: {reason}; it is made again", path.display());
    }
    images.ok().map(Column::Packed)
}

/// Opens the file at `path`, unless it is of another `source` or damaged, for the reason given.
fn check(path: &Path, source: &str) -> std::result::Result<PackedImages, String> {
    let said = |e: std::io::Error| e.to_string();
    let file = crate::files::open(path).map_err(said)?;
    let mut reader = BufReader::with_capacity(1 << 20, &file);
    let mut line = Vec::new();
    reader.by_ref().take(HEADER as u64).read_until(b'\n', &mut line).map_err(said)?;
    let header: Header = serde_json::from_slice(&line).map_err(|_| "has a damaged header")?;
    if header.source != source {
        return Err("is of another dataset".into());
    }
    let mut hasher = crc32fast::Hasher::new();
    loop {
        let bytes = reader.fill_buf().map_err(said)?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        let length = bytes.len();
        reader.consume(length);
    }
    if hasher.finalize() != header.checksum {
        return Err("is damaged".into());
    }
    // The time of its last use.
    let _ = file.set_modified(SystemTime::now());
    let Header { shape, images, checksum, .. } = header;
    let images = PackedImages::new(file, path, shape, images, HEADER as u64);
    images.map(|images| images.with_checksum(checksum)).map_err(|e| e.to_string())
}

fn folder() -> Option<PathBuf> {
    cache::folder().map(|folder| folder.join("datasets"))
}

fn name(source: &str) -> String {
    format!("{:08x}{SUFFIX}", crc32fast::hash(source.as_bytes()))
}

/// Deletes files that nobody has used for long, and those that a process left unfinished.
fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > KEPT)
        };
        let is_left = || File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if name.ends_with(SUFFIX) && is_old() || name.starts_with(UNFINISHED) && is_left() {
            // Another process may have done it.
            let _ = fs::remove_file(&path);
        }
    }
}
