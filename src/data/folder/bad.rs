//! Files that are no images, and decoders that panic.

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::error::Error;

/// A file that cannot be read as an image.
#[derive(Debug)]
pub struct Bad {
    pub path: PathBuf,
    /// The fault in words, which follow the file's name in a message.
    pub reason: String,
}

impl Bad {
    pub fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }

    /// A file that its decoder does not take. Its words become a short line.
    pub fn undecodable(path: &Path, reason: impl Display) -> Self {
        let words = reason.to_string();
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut words = words.join(" ");
        if let Some((end, _)) = words.char_indices().nth(MOST_WORDS) {
            words.truncate(end);
            words.push('…');
        }
        Self::new(path, format!("cannot be decoded ({words})"))
    }

    /// A file or folder that the system does not let read.
    pub fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self { path, reason: format!("cannot be read: {error}") }
    }
}

/// Characters of a decoder's words that are shown.
const MOST_WORDS: usize = 120;

/// The most bad files that an error names.
const MOST_NAMED: usize = 10;

/// The error about the `bad` ones of `count` images in `folder`; there is at least one.
pub fn error(folder: &Path, bad: Vec<Bad>, count: usize) -> Error {
    let total = bad.len();
    let named = bad.into_iter().take(MOST_NAMED);
    let files = named.map(|bad| (bad.path, bad.reason)).collect();
    Error::BadFiles { folder: folder.into(), files, total, images: count }
}

thread_local! {
    /// Whether a panic of this thread is caught and told as an error.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder on the file at `path`; its panic is an error like any other, and prints nothing.
pub fn catching<T>(path: &Path, work: impl FnOnce() -> Result<T, Bad>) -> Result<T, Bad> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                before(panic);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(false);
    result.unwrap_or_else(|_| Err(Bad::undecodable(path, "its decoder gave up on the data")))
}
