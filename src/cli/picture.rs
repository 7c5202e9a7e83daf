//! The picture that a command writes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use vae_gpu::{Error, Result as LibraryResult};

use super::failure::{Failure, Result};
use super::values::path;

#[derive(Args)]
pub struct PictureArgs {
    /// PNG file to write; its folder is made if it is missing
    /// [default: named after what it shows, numbered if taken]
    #[arg(long, value_name = "FILE", value_parser = path())]
    out: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long, alias = "force")]
    overwrite: bool,
}

impl PictureArgs {
    /// The file to write: `--out`, or `name` and a number if that is taken. Touches nothing.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when `--out` names no PNG, [`Error::Run`] when there is something already.
    pub fn place(&self, name: &str) -> Result<PathBuf> {
        let Some(out) = &self.out else {
            let (stem, numbers) = (name.trim_end_matches(".png"), 2..);
            let numbered = numbers.map(|number| format!("{stem}-{number}.png").into());
            let mut places = std::iter::once(PathBuf::from(name)).chain(numbered);
            let free = places.find(|place| self.overwrite || place.symlink_metadata().is_err());
            return Ok(free.expect("some number is free"));
        };
        if !out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            return Err(Failure::Usage(format!("--out {}: must end in .png", out.display())));
        }
        match out.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                Err(Error::run(out, "is a folder; choose another --out").into())
            }
            Ok(_) if !self.overwrite => {
                let message = "is there already; --overwrite it or choose another --out";
                Err(Error::run(out, message).into())
            }
            _ => Ok(out.clone()),
        }
    }
}

/// Has `write` write the file `place`, in a folder that is made if it is missing, and is gone again if
/// that fails.
pub fn written(place: &Path, write: impl FnOnce(&Path) -> LibraryResult<()>) -> Result<()> {
    let folder = place.parent().unwrap_or(Path::new(""));
    let missing = |p: &&Path| !p.as_os_str().is_empty() && !p.exists();
    let made: Vec<&Path> = folder.ancestors().take_while(missing).collect();
    let created = match made.is_empty() {
        true => Ok(()),
        false => fs::create_dir_all(folder).map_err(Error::io("create", folder)),
    };
    created.and_then(|()| write(place)).map_err(|e| {
        // The first error is the one to tell.
        for folder in &made {
            let _ = fs::remove_dir(folder);
        }
        e.into()
    })
}
