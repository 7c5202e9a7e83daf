//! Files that appear whole or not at all: one alone, or all those of a folder.

mod folders;
mod generation;
mod lock;
mod regular;
mod unfinished;

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Result as IoResult, Write};
use std::path::Path;

pub use folders::in_folder;
pub(crate) use generation::{exists, is_pending, open_committed, read, read_text};
pub(crate) use lock::FolderLock;
pub(crate) use regular::{is_pipe, open, read_whole};
pub(crate) use unfinished::Unfinished;
pub use unfinished::remove_unfinished;

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// What becomes of a file that is there already where another is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replaced,
    /// It stays, and writing fails with [`ErrorKind::AlreadyExists`].
    Kept,
}

/// Writes `bytes` beside `path` and moves them there once they are on the disk, so that neither a
/// full disk nor a crash leaves half a file or loses the one that was there.
///
/// # Errors
///
/// [`Error::Io`] naming `path`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let content = |file: &mut BufWriter<&File>| file.write_all(bytes);
    write_with(path, Existing::Replaced, |file| content(file).map_err(Error::io("write", path)))
}

/// The same for what `content` writes, bit by bit; a file that is there becomes what `existing` says, also
/// where it comes there meanwhile.
///
/// # Errors
///
/// [`Error::Io`] naming `path`, and those of `content`.
pub(crate) fn write_with(
    path: &Path,
    existing: Existing,
    content: impl FnOnce(&mut BufWriter<&File>) -> Result<()>,
) -> Result<()> {
    let (folder, fails) = (parent(path), || Error::io("write", path));
    // Made by hand: tempfile's own is readable by its owner only, and errors would name it.
    let file = tempfile::Builder::new().prefix(PREFIX).make_in(folder, |f| File::create_new(f));
    let file = file.map_err(fails())?;
    let _unfinished = Unfinished::new(file.path());
    let mut writer = BufWriter::new(file.as_file());
    content(&mut writer)?;
    writer.flush().map_err(fails())?;
    drop(writer);
    let moved = || {
        sync(file.as_file())?;
        place(file, path, existing)?;
        sync_folder(folder)
    };
    moved().map_err(fails())
}

/// Moves a file that is whole to `path`.
fn place(file: NamedTempFile<File>, path: &Path, existing: Existing) -> IoResult<()> {
    let file = match existing {
        Existing::Replaced => file,
        Existing::Kept => match file.persist_noclobber(path) {
            Ok(_) => return Ok(()),
            Err(_) if path.symlink_metadata().is_ok() => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            // Some file systems can neither rename in this way nor link, and nothing is there.
            Err(e) => e.file,
        },
    };
    file.persist(path)?;
    Ok(())
}

/// Beginning of the name of a file until it is whole.
const PREFIX: &str = ".vae-gpu-";

/// Whether a file of that name is one that [`write`] has not finished.
pub(crate) fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// The folder that `path` lies in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the name of `path` is on the disk.
pub(crate) fn sync_parent(path: &Path) -> IoResult<()> {
    sync_folder(parent(path))
}

/// Waits until `file` is on the disk. A file system that cannot say so (some of FUSE, of networks and
/// of macOS) is taken at its word that the file was written.
fn sync(file: &File) -> IoResult<()> {
    passed_over(file.sync_all())
}

/// Waits until the names in `folder` are on the disk, likewise.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> IoResult<()> {
    match File::open(folder) {
        // Files can be made in a folder that may not be listed.
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(()),
        opened => sync(&opened?),
    }
}

/// Other systems have no handle of a folder to wait on.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> IoResult<()> {
    Ok(())
}

/// The `result` of a call of fsync, without the errors that mean that there is no such call: EINVAL,
/// and ENOTSUP, EOPNOTSUPP and ENOSYS. EIO, ENOSPC and any other are errors.
fn passed_over(result: IoResult<()>) -> IoResult<()> {
    match result {
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever writes a file of that name after it was looked for keeps it.
    #[test]
    fn a_file_is_replaced_only_where_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let write = |existing, text: &'static str| {
            write_with(&path, existing, |file| {
                file.write_all(text.as_bytes()).map_err(Error::io("write", &path))
            })
        };
        write(Existing::Kept, "first").unwrap();
        let error = write(Existing::Kept, "second").unwrap_err();
        let kind = |e| if let Error::Io { source, .. } = e { Some(source.kind()) } else { None };
        assert_eq!(kind(error), Some(ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        write(Existing::Replaced, "third").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn fsync_may_be_refused_but_not_fail() {
        let result = |errno| passed_over(Err(std::io::Error::from_raw_os_error(errno)));
        for (errno, passes) in [(22, true), (95, true), (38, true), (5, false), (28, false)] {
            assert_eq!(result(errno).is_ok(), passes, "errno {errno}");
        }
    }
}
