//! Files that may be packed by gzip.

use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// The first bytes of what gzip packed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file that has been opened, at its beginning.
pub struct Opened {
    pub reader: Box<dyn Read>,
    /// Whether it is packed by gzip.
    pub is_packed: bool,
    /// Its length, packed or not.
    pub bytes: u64,
}

/// Opens `path`, through gzip if its first bytes say so: some downloads keep the name `.gz`
/// though they were unpacked, or lose it though they were not.
///
/// # Errors
///
/// [`Error::Io`] naming the file.
pub fn open(path: &Path) -> Result<Opened> {
    let mut file = crate::files::open(path).map_err(Error::io("read", path))?;
    let bytes = file.metadata().map_err(Error::io("read", path))?.len();
    let start = read_at_most(&mut file, 2, path)?;
    file.rewind().map_err(Error::io("read", path))?;
    let file = BufReader::new(file);
    let is_packed = start == GZIP;
    let reader: Box<dyn Read> =
        if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Opened { reader, is_packed, bytes })
}

/// The next `limit` bytes, or all there are if these are fewer.
pub fn read_at_most(reader: &mut impl Read, limit: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// An error of reading the file at `path`, which may be packed.
pub fn unreadable(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        // Only the gzip decoder returns these errors, not a plain file.
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            Error::data(path, format!("is truncated or corrupt ({error}); download it again"))
        }
        _ => Error::io("read", path)(error),
    }
}
