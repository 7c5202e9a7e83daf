//! Paths as flags and configurations name them.

use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `path`, where `~` at its beginning is the home folder, as a shell has it where it sees that.
pub fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), dirs::home_dir()) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// Whether `path` names a file that the program was started with open, as a shell's `<(command)` does. Of a
/// pipe among them whoever writes to it has it open already, so that reading it comes to an end.
pub fn is_inherited(path: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    path == Path::new("/dev/stdin") || path.parent().is_some_and(|at| folders.contains(&at))
}

/// A path in a file: text, or the bytes of a name that is none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    let written = match path.to_str() {
        Some(text) => Written::Text(text.into()),
        None => Written::Bytes { bytes: bytes(path).ok_or_else(|| S::Error::custom("no text"))? },
    };
    written.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Text(text) => Ok(text.into()),
        Written::Bytes { bytes } => of_bytes(bytes).ok_or_else(|| D::Error::custom("no path")),
    }
}

/// Whether a configuration can name `path`.
pub fn can_be_written(path: &Path) -> bool {
    path.to_str().is_some() || bytes(path).is_some()
}

#[cfg(unix)]
fn bytes(path: &Path) -> Option<Vec<u8>> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec())
}

#[cfg(unix)]
fn of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn bytes(_path: &Path) -> Option<Vec<u8>> {
    None
}

#[cfg(not(unix))]
fn of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(Into::into)
}
