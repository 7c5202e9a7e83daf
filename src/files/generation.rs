//! The files of a folder, replaced all at once.
//!
//! New files are written into the hidden folder [`UNFINISHED`]. Once all of them are on the disk, its
//! renaming to [`SAVED`] commits them: from then on they are the folder's, wherever they lie, and move to
//! their places one by one. Whoever opens the folder finishes that if it was cut short; until then
//! [`open_committed`] finds them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Result as IoResult};
use std::path::{Path, PathBuf};

use super::{FolderLock, parent, sync_folder};
use crate::error::{Error, Result};

/// New files until all of them are on the disk.
const UNFINISHED: &str = ".vae-gpu-unfinished";
/// New files that are committed and still on the way to their places.
const SAVED: &str = ".vae-gpu-saved";
/// The file among them that names those of the older ones that have no successor, one a line.
const REMOVED: &str = ".removed";

impl FolderLock {
    /// Replaces files of the folder by those that `write` makes in the folder that it is given, and
    /// removes those of `obsolete` that it does not make. Should that fail, or the process or the machine
    /// stop, the folder has all of the older files or all of the new ones.
    ///
    /// # Errors
    ///
    /// As `write`, and [`Error::Io`] that names the file.
    pub fn replace(
        &self,
        obsolete: &[&str],
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        // An attempt that failed or was killed may have left its own.
        self.finish()?;
        let folder = self.folder();
        let (unfinished, saved) = (folder.join(UNFINISHED), folder.join(SAVED));
        let made = fs::create_dir(&unfinished)
            .map_err(Error::io("write", folder))
            .and_then(|()| write(&unfinished))
            .and_then(|()| list_removed(folder, obsolete))
            .and_then(|()| fs::rename(&unfinished, &saved).map_err(Error::io("write", folder)));
        match made {
            Ok(()) => {
                sync_folder(folder).map_err(Error::io("write", folder))?;
                self.finish()
            }
            Err(e) => {
                // The first error is the one to tell.
                let _ = fs::remove_dir_all(&unfinished);
                Err(match e {
                    Error::Io { path, action, source } => {
                        let file = path.strip_prefix(&unfinished).map(|file| folder.join(file));
                        Error::Io { path: file.unwrap_or(path), action, source }
                    }
                    other => other,
                })
            }
        }
    }

    /// Moves files that were committed to their places, and removes those that never were.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn finish(&self) -> Result<()> {
        let folder = self.folder();
        let saved = folder.join(SAVED);
        if saved.is_dir() {
            for name in visible(&saved).map_err(Error::io("read", &saved))? {
                let place = folder.join(&name);
                fs::rename(saved.join(&name), &place).map_err(Error::io("write", &place))?;
            }
            let removed = saved.join(REMOVED);
            let names = match fs::read_to_string(&removed) {
                Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
                names => names.map_err(Error::io("read", &removed))?,
            };
            for name in names.lines().filter(|name| is_name(name)) {
                let place = folder.join(name);
                absent(fs::remove_file(&place)).map_err(Error::io("remove", &place))?;
            }
            sync_folder(folder).map_err(Error::io("write", folder))?;
            fs::remove_dir_all(&saved).map_err(Error::io("remove", &saved))?;
        }
        let unfinished = folder.join(UNFINISHED);
        absent(fs::remove_dir_all(&unfinished)).map_err(Error::io("remove", &unfinished))
    }
}

/// Writes down which of the files called one of `obsolete` have no successor among the new ones.
fn list_removed(folder: &Path, obsolete: &[&str]) -> Result<()> {
    let unfinished = folder.join(UNFINISHED);
    let removed = |name: &&str| !unfinished.join(name).exists() && folder.join(name).exists();
    let removed: Vec<&str> = obsolete.iter().copied().filter(removed).collect();
    match removed.is_empty() {
        true => Ok(()),
        false => super::write(&unfinished.join(REMOVED), removed.join("\n").as_bytes()),
    }
}

/// Names of the files in `folder` that are not hidden, sorted.
fn visible(folder: &Path) -> IoResult<Vec<PathBuf>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<IoResult<Vec<_>>>()?;
    names.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
    names.sort();
    Ok(names.into_iter().map(PathBuf::from).collect())
}

/// Whether `name` can only name something in the folder that it is looked for in.
fn is_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}

/// The `result` of a removal, where what is not there counts as removed.
fn absent(result: IoResult<()>) -> IoResult<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether `folder` has files that are committed and not all in their places.
pub(crate) fn is_pending(folder: &Path) -> bool {
    folder.join(SAVED).is_dir()
}

/// The place of the file `path` where it is committed and still on the way to `path`.
fn pending(path: &Path) -> PathBuf {
    parent(path).join(SAVED).join(path.file_name().unwrap_or_default())
}

/// Whether there is something at `path`, or a file is on the way there.
pub(crate) fn exists(path: &Path) -> bool {
    pending(path).is_file() || path.exists()
}

/// Opens the file `path`, also while it is on the way there. What a killed process left in its folder is
/// finished first, if that can be written and nobody is at it.
///
/// # Errors
///
/// As [`super::open`].
pub(crate) fn open_committed(path: &Path) -> IoResult<File> {
    let folder = parent(path);
    if (is_pending(folder) || folder.join(UNFINISHED).is_dir())
        && let Ok(lock) = FolderLock::take(folder)
        && let Err(e) = lock.finish()
    {
        log::warn!("{e}");
    }
    // In this order: what is moved in between is found in its place.
    match super::open(&pending(path)) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            super::open(path)
        }
        opened => opened,
    }
}

/// Reads the file `path`, which is opened by [`open_committed`].
///
/// # Errors
///
/// As [`super::open`].
pub(crate) fn read(path: &Path) -> IoResult<Vec<u8>> {
    let mut bytes = Vec::new();
    open_committed(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same for text.
///
/// # Errors
///
/// As [`read`], and for what is no UTF-8.
pub(crate) fn read_text(path: &Path) -> IoResult<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}
