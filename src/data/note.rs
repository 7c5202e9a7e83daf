//! Remarks of a reader on a dataset that it has read nevertheless.

use std::fmt;

/// A remark on how a dataset was read, for people: files that were left aside, a choice that was made for
/// want of an option, pixels that look wrong. It is one line without a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The remark.
    pub text: String,
    /// The key of the configuration that changes what it is about.
    pub key: Option<&'static str>,
}

impl Note {
    /// A remark on what no option changes.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), key: None }
    }

    /// A remark on what the option `key` changes.
    pub(super) fn on(key: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), key: Some(key) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
