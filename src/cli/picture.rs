//! The picture that a command writes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use vae_gpu::train::Existing;
use vae_gpu::{Error, Result as LibraryResult, in_folder};

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

    /// Has `write` write the file that [`PictureArgs::place`] gives, and returns it. A file that another program
    /// puts there meanwhile is not replaced unasked.
    ///
    /// # Errors
    ///
    /// The errors of [`PictureArgs::place`] and of `write`.
    pub fn written(
        &self,
        name: &str,
        write: impl Fn(&Path, Existing) -> LibraryResult<()>,
    ) -> Result<PathBuf> {
        let existing = if self.overwrite { Existing::Replaced } else { Existing::Kept };
        loop {
            let place = self.place(name)?;
            let folder = place.parent().unwrap_or(Path::new(""));
            match in_folder(folder, || write(&place, existing)) {
                // With its place taken, a numbered picture takes the next, and another is told of above.
                Err(Error::Io { path, source, .. })
                    if path == place && source.kind() == ErrorKind::AlreadyExists => {}
                written => return Ok(written.map(|()| place)?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes as the library does, once another program has put something there.
    fn late(path: &Path, existing: Existing) -> LibraryResult<()> {
        if path.ends_with("a.png") {
            fs::write(path, "another's").unwrap();
        }
        match existing {
            Existing::Kept if path.exists() => {
                Err(Error::io("write", path)(ErrorKind::AlreadyExists.into()))
            }
            _ => fs::write(path, "own").map_err(Error::io("write", path)),
        }
    }

    #[test]
    fn what_comes_meanwhile_is_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("a.png");
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        // With a name of its own choice, the program takes the next number.
        let numbered = PictureArgs { out: None, overwrite: false };
        let written = numbered.written(first.to_str().unwrap(), late).ok().unwrap();
        assert_eq!(written, folder.path().join("a-2.png"));
        assert_eq!([text(&first), text(&written)], ["another's", "own"]);
        fs::remove_file(&first).unwrap();
        let named = PictureArgs { out: Some(first.clone()), overwrite: false };
        let message = named.written("b.png", late).err().unwrap().to_string();
        assert!(
            message.ends_with("a.png: is there already; --overwrite it or choose another --out")
        );
        assert_eq!(text(&first), "another's");
        let asked = PictureArgs { overwrite: true, ..named };
        assert_eq!(asked.written("b.png", late).ok(), Some(first.clone()));
        assert_eq!(text(&first), "own");
    }
}
