//! Files that appear whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes `bytes` beside `path` and moves them there once they are on the disk, so that neither a
/// full disk nor a crash leaves half a file or loses the one that was there.
///
/// # Errors
///
/// [`Error::Io`] naming `path`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || {
        // Made by hand: tempfile's own is readable by its owner only, and errors would name it.
        let file = tempfile::Builder::new()
            .prefix(".vae-gpu-")
            .make_in(folder, |f| File::create_new(f))?;
        file.as_file().write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(Error::io("write", path))
}
