//! Files that are being written, which are removed where a signal ends the program in between: no
//! destructor runs then.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that is being written, for as long as this value lives.
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    /// Notes the file `path`.
    pub fn new(path: &Path) -> Self {
        files().push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        files().retain(|path| *path != self.0);
    }
}

/// Removes all files that are being written, for a program that is about to end without destructors.
#[doc(hidden)]
pub fn remove_unfinished() {
    for path in files().drain(..) {
        // It may have been finished just now.
        let _ = std::fs::remove_file(path);
    }
}

fn files() -> MutexGuard<'static, Vec<PathBuf>> {
    FILES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
