//! What can be made again and is kept to save time: compiled pipelines, choices of kernels.
//!
//! Nothing here is an error to a user: a cache that cannot be read or written is done without.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files;

/// Names the folder instead of the system's; [`NOWHERE`] for none.
const VARIABLE: &str = "VAE_GPU_CACHE";

/// The variable's value for no folder.
const NOWHERE: &str = "off";

/// Bytes of the checksum behind a file's content.
const CHECKSUM: usize = size_of::<u32>();

/// The folder, which need not exist yet: `$VAE_GPU_CACHE`, or `vae-gpu` in the system's folder for
/// caches. None where there is none, or none is wanted.
pub(crate) fn folder() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        Some(folder) => (folder != NOWHERE).then(|| folder.into()),
        None => dirs::cache_dir().map(|caches| caches.join("vae-gpu")),
    }
}

/// What [`write`] last kept under `name`; none if that is nothing, or damaged.
pub(crate) fn read(name: &str) -> Option<Vec<u8>> {
    let folder = folder()?;
    clear_away(&folder);
    let path = folder.join(name);
    let mut bytes = files::read_whole(&path).ok()?;
    let content = bytes.len().checked_sub(CHECKSUM)?;
    let sum = crc32fast::hash(&bytes[..content]).to_le_bytes();
    if bytes[content..] != sum {
        log::warn!("{}: is damaged, and ignored", path.display());
        return None;
    }
    bytes.truncate(content);
    Some(bytes)
}

/// Keeps `content` under `name`, with a checksum behind it.
pub(crate) fn write(name: &str, content: &[u8]) {
    let Some(folder) = folder() else { return };
    let sum = crc32fast::hash(content).to_le_bytes();
    let made = std::fs::create_dir_all(&folder).map_err(crate::Error::io("create", &folder));
    let written = made.and_then(|()| files::write(&folder.join(name), &[content, &sum].concat()));
    match written {
        Ok(()) => log::debug!("kept {} bytes as {name} in {}", content.len(), folder.display()),
        Err(error) => log::warn!("{error}"),
    }
}

/// Age from which on an unfinished file is one that a killed process left, and none that is written.
const OLD: Duration = Duration::from_secs(3600);

/// Removes what killed processes left unfinished in `folder`.
fn clear_away(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_unfinished = files::is_unfinished(&entry.file_name());
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if is_unfinished && age.is_some_and(|age| age > OLD) {
            let removed = std::fs::remove_file(entry.path());
            log::debug!("removed {}: {removed:?}", entry.path().display());
        }
    }
}
