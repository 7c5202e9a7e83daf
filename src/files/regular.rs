//! Reading files that are files.

use std::fs::{File, FileType, metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens the file `path` to be read. What is none, such as a pipe that nobody may ever write to, is
/// refused.
///
/// # Errors
///
/// As [`File::open`], and for whatever is no file.
pub(crate) fn open(path: &Path) -> Result<File> {
    match named(metadata(path)?.file_type()) {
        None => File::open(path),
        Some(kind) => {
            let message = format!("it is {kind}, and no file; give a file");
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

/// Reads the file `path`.
///
/// # Errors
///
/// As [`open`].
pub(crate) fn read_whole(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether `path` is a pipe.
pub(crate) fn is_pipe(path: &Path) -> bool {
    metadata(path).is_ok_and(|found| named(found.file_type()) == Some(PIPE))
}

const PIPE: &str = "a pipe";

/// The name of what is no regular file.
fn named(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some(PIPE);
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    kind.is_dir().then_some("a folder")
}
