//! Files of pixels in the cache's folder: what they are made from, how they are found again, and cleaned up.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::cache;
use crate::data::{ImageShape, PackedImages, ReadOptions};
use crate::error::{Error, Result};
use crate::words::shortened_to;

/// Bytes of a file before its pixels: the header as a line of JSON, filled up with spaces.
pub const HEADER: usize = 4096;
/// Characters of a folder's path that the header has room for.
const LONGEST_FOLDER: usize = 400;
/// How the names of the files end.
const SUFFIX: &str = ".pixels";
/// How the names of unfinished files begin.
const UNFINISHED: &str = "unfinished-";
/// Time after its last use when a file is deleted.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a file says of itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// What the pixels were made from.
    pub source: String,
    pub shape: ImageShape,
    pub images: usize,
    /// CRC-32 of the pixels.
    pub checksum: u32,
    /// Whether some pixels were transparent before.
    pub is_transparent: bool,
}

impl Header {
    /// Its bytes in a file, [`HEADER`] of them.
    pub fn line(&self) -> std::io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        if line.len() >= HEADER {
            return Err(std::io::Error::other("what it is made from takes too many words"));
        }
        line.resize(HEADER - 1, b' ');
        line.push(b'\n');
        Ok(line)
    }
}

/// Describes what pixels are made from: the options, and each file's path, length and times.
///
/// # Errors
///
/// [`Error::Io`] naming a file that cannot be read.
pub fn source<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = &'a Path>,
    options: &ReadOptions,
) -> Result<String> {
    let (mut hasher, mut count, mut bytes) = (DefaultHasher::new(), 0, 0);
    folder.canonicalize().map_err(Error::io("read", folder))?.hash(&mut hasher);
    for path in files {
        let read = |metadata: fs::Metadata| {
            Ok((metadata.len(), metadata.modified()?, changed_at(&metadata)))
        };
        let (length, modified, changed) =
            fs::metadata(path).and_then(read).map_err(Error::io("read", path))?;
        (path, length, modified, changed).hash(&mut hasher);
        (count, bytes) = (count + 1, bytes + length);
    }
    // The bound on memory changes no pixel.
    let options = ReadOptions { memory: None, ..options.clone() };
    let files = format!("{count} files, {bytes} bytes, {:016x}", hasher.finish());
    let folder = shortened_to(&folder.display().to_string(), LONGEST_FOLDER);
    Ok(format!("{folder}: {files}; {options:?}"))
}

/// When the file of `metadata` was changed last, in seconds and nanoseconds. Unlike the time of its
/// contents, which programs that copy and unpack set to that of their source, nobody can set it.
#[cfg(unix)]
fn changed_at(metadata: &fs::Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.ctime(), metadata.ctime_nsec()))
}

/// Only Unix has this time.
#[cfg(not(unix))]
fn changed_at(_: &fs::Metadata) -> Option<(i64, i64)> {
    None
}

/// The images that an earlier process made from `source`, if they are still there and whole.
pub fn find(source: &str) -> Option<(PackedImages, bool)> {
    let path = folder()?.join(name(source));
    let images = check(&path, source);
    if let Err(reason) = &images
        && path.exists()
    {
        log::warn!("{}: {reason}; it is made again", path.display());
    }
    images.ok()
}

/// Opens the file at `path`, unless it is of another `source` or damaged, for the reason given.
fn check(path: &Path, source: &str) -> std::result::Result<(PackedImages, bool), String> {
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
    let Header { shape, images, checksum, is_transparent, .. } = header;
    let images = PackedImages::new(file, path, shape, images, HEADER as u64);
    let images = images.map_err(|e| e.to_string())?.with_checksum(checksum);
    Ok((images, is_transparent))
}

/// The folder of the files, which need not exist yet; none without a cache.
pub fn folder() -> Option<PathBuf> {
    cache::folder().map(|folder| folder.join("datasets"))
}

/// The name of the file that is made from `source`.
pub fn name(source: &str) -> String {
    format!("{:08x}{SUFFIX}", crc32fast::hash(source.as_bytes()))
}

/// A new file in `folder` under a lock which ends with the process, and by which another one knows that it is
/// no litter.
pub fn locked(folder: &Path) -> std::io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        // Where files cannot be locked, none is taken for litter either.
        let _ = file.as_file().lock();
        // Another process may have done that before it was locked.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// Deletes files that nobody has used for long, and those that a process left unfinished.
pub fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > KEPT)
        };
        let left = || File::open(&path).ok().filter(|file| file.try_lock().is_ok());
        // The lock is held until the file is gone, for `locked` to see that it is.
        let left = name.starts_with(UNFINISHED).then(left).flatten();
        if left.is_some() || name.ends_with(SUFFIX) && is_old() {
            // Another process may have done it.
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_new_file_is_never_taken_for_litter() {
        let folder = tempfile::tempdir().unwrap();
        let make = || {
            for _ in 0..1000 {
                let file = locked(folder.path()).unwrap();
                thread::sleep(Duration::from_micros(50));
                assert!(file.path().exists(), "somebody has deleted it");
            }
        };
        thread::scope(|scope| {
            let makers = [scope.spawn(make), scope.spawn(make)];
            while makers.iter().any(|maker| !maker.is_finished()) {
                clean(folder.path());
            }
        });
        fs::write(folder.path().join("unfinished-1"), "litter").unwrap();
        clean(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
