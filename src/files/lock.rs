//! A lock on a folder that a crash releases.

use std::fs::{File, TryLockError};
use std::io::{Read, Result as IoResult, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use same_file::Handle;

use crate::error::{Error, Result};

/// The name of the file that is locked where a folder itself cannot be.
const LOCK: &str = ".vae-gpu-lock";

/// How long [`FolderLock::wait`] does.
const MOMENT: Duration = Duration::from_millis(300);

/// A folder that no other process changes while this value lives. The operating system releases the
/// lock when the process ends, however it ends.
pub(crate) struct FolderLock {
    folder: PathBuf,
    /// The folder itself, or the lock's file in it; nothing on a file system without locks.
    held: Option<File>,
    /// The lock's file.
    file: Option<PathBuf>,
}

/// The outcome of an attempt to lock a file or folder.
enum Attempt {
    Locked(File),
    /// Another holds it.
    Taken,
    /// It was locked, but has meanwhile been removed or replaced.
    Gone,
}

impl FolderLock {
    /// Locks `folder` as [`FolderLock::take`] does, and waits a moment where another process holds it, which
    /// may be about to end, or to finish what a killed one left.
    ///
    /// # Errors
    ///
    /// As [`FolderLock::take`].
    pub fn wait(folder: &Path) -> Result<Self> {
        let start = Instant::now();
        loop {
            match Self::take(folder) {
                Err(Error::InUse { .. }) if start.elapsed() < MOMENT => {
                    std::thread::sleep(MOMENT / 20)
                }
                taken => return taken,
            }
        }
    }

    /// Locks `folder`, which must exist. The folder itself is locked, which leaves no trace; on Windows
    /// and on NFS, a file in it that is removed afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] when another process holds it, or another value of this one; [`Error::Io`] when
    /// there is no such folder or it cannot be written.
    pub fn take(folder: &Path) -> Result<Self> {
        let place = super::parent(&folder.join(LOCK)).to_owned();
        loop {
            let attempt = File::open(&place).and_then(|opened| attempt(opened, &place));
            match attempt {
                Ok(Attempt::Locked(held)) => {
                    return Ok(Self { folder: folder.into(), held: Some(held), file: None });
                }
                Ok(Attempt::Taken) => return Err(in_use(folder, holder(&place))),
                Ok(Attempt::Gone) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::io("write", folder)(e));
                }
                Err(_) => return Self::take_by_file(folder),
            }
        }
    }

    /// Locks `folder` by a file in it.
    fn take_by_file(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        loop {
            let opened =
                File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let opened = opened.map_err(Error::io("write", folder))?;
            match attempt(opened, &path) {
                Ok(Attempt::Locked(mut held)) => {
                    // For whom it keeps out; without it, the lock is as good.
                    let told =
                        held.set_len(0).and_then(|()| write!(held, "{}", std::process::id()));
                    if let Err(e) = told {
                        log::debug!("{}: {e}", path.display());
                    }
                    let (held, file) = (Some(held), Some(path));
                    return Ok(Self { folder: folder.into(), held, file });
                }
                Ok(Attempt::Taken) => return Err(in_use(folder, written(&path).ok().flatten())),
                Ok(Attempt::Gone) => {}
                Err(e) => {
                    log::debug!("{}: cannot be locked: {e}", folder.display());
                    return Ok(Self { folder: folder.into(), held: None, file: Some(path) });
                }
            }
        }
    }

    /// Whether it is a lock: there is none on a file system without locks.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Before the lock is released, so that the next to lock the file sees that it is gone.
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
        drop(self.held.take());
    }
}

/// Locks `opened`, which was found at `path`.
fn attempt(opened: File, path: &Path) -> IoResult<Attempt> {
    match opened.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Taken),
        Err(TryLockError::Error(e)) => return Err(e),
    }
    let own = Handle::from_file(opened.try_clone()?)?;
    Ok(match Handle::from_path(path) {
        Ok(there) if there == own => Attempt::Locked(opened),
        _ => Attempt::Gone,
    })
}

fn in_use(folder: &Path, process: Option<u32>) -> Error {
    Error::InUse { path: folder.to_owned(), process }
}

/// The process that a lock's file names.
fn written(path: &Path) -> IoResult<Option<u32>> {
    let mut text = String::new();
    File::open(path)?.take(20).read_to_string(&mut text)?;
    Ok(text.parse().ok())
}

/// The process that has locked `folder` itself, where the system tells: of those that hold some such
/// lock, the one that has the folder open.
fn holder(folder: &Path) -> Option<u32> {
    let folder = folder.canonicalize().ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // As in `1: FLOCK  ADVISORY  WRITE 4711 00:2e:1234 0 EOF`.
    let process = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(3);
        words.next()?.parse::<u32>().ok()
    };
    let has_open = |process: &u32| {
        let files = std::fs::read_dir(format!("/proc/{process}/fd"));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| std::fs::read_link(file.path()).is_ok_and(|open| open == folder))
    };
    locks.lines().filter_map(process).find(has_open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_without_a_trace() {
        for take in [FolderLock::take, FolderLock::take_by_file] {
            let folder = tempfile::tempdir().unwrap();
            let lock = take(folder.path()).unwrap();
            let refused = take(folder.path()).err().unwrap();
            let Error::InUse { path, process } = &refused else { panic!("{refused}") };
            assert_eq!(path, folder.path());
            if cfg!(target_os = "linux") {
                assert_eq!(*process, Some(std::process::id()), "{refused}");
            }
            drop(lock);
            drop(take(folder.path()).unwrap());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            // What a killed program left does not lock.
            std::fs::write(folder.path().join(LOCK), "4711").unwrap();
            drop(take(folder.path()).unwrap());
        }
    }

    #[test]
    fn many_threads_hold_it_one_after_the_other() {
        for take in [FolderLock::take, FolderLock::take_by_file] {
            let folder = tempfile::tempdir().unwrap();
            let holders = std::sync::atomic::AtomicU32::new(0);
            let taken = std::sync::atomic::AtomicU32::new(0);
            let relaxed = std::sync::atomic::Ordering::SeqCst;
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..500 {
                            let Ok(_lock) = take(folder.path()) else { continue };
                            assert_eq!(holders.fetch_add(1, relaxed), 0, "two hold it");
                            taken.fetch_add(1, relaxed);
                            holders.fetch_sub(1, relaxed);
                        }
                    });
                }
            });
            assert!(taken.into_inner() > 0);
        }
    }

    #[test]
    fn a_lock_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::wait(folder.path()), Err(Error::InUse { .. })));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| FolderLock::wait(folder.path()).map(drop));
            std::thread::sleep(MOMENT / 10);
            drop(lock);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_locked() {
        let folder = tempfile::tempdir().unwrap();
        let absent = FolderLock::take(&folder.path().join("absent")).err().unwrap();
        assert!(matches!(absent, Error::Io { .. }), "{absent}");
    }
}
