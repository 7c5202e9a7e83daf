//! Folders that are made for what is to lie in them.

use std::fs;
use std::path::Path;

use super::sync_parent;
use crate::error::{Error, Result};

/// Makes the folder `path` and those above it that are missing, and has `fill` write into it. Should that
/// fail, those that were made and have nothing in them are removed again; otherwise their names are on the
/// disk afterwards.
///
/// # Errors
///
/// As `fill`, and [`Error::Io`] that names the folder.
#[doc(hidden)]
pub fn in_folder<T>(path: &Path, fill: impl FnOnce() -> Result<T>) -> Result<T> {
    let missing = |p: &&Path| !p.as_os_str().is_empty() && !p.exists();
    let made: Vec<&Path> = path.ancestors().take_while(missing).collect();
    let created = match made.is_empty() {
        true => Ok(()),
        false => fs::create_dir_all(path).map_err(Error::io("create", path)),
    };
    let filled = created.and_then(|()| fill());
    match &filled {
        Ok(_) => {
            for folder in &made {
                sync_parent(folder).map_err(Error::io("create", folder))?;
            }
        }
        // Another process is about to write there.
        Err(Error::InUse { .. }) => {}
        Err(_) => {
            for folder in &made {
                // The first error is the one to tell.
                let _ = fs::remove_dir(folder);
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_goes_where_nothing_comes_of_it() {
        let place = tempfile::tempdir().unwrap();
        let (made, deep) = (place.path().join("a"), place.path().join("a/b/c"));
        let failed = || Err::<(), _>(Error::Input("no".into()));
        let fails = |fill: &dyn Fn() -> Result<()>| in_folder(&deep, fill).unwrap_err();
        assert!(matches!(fails(&failed), Error::Input(_)) && !made.exists());
        // What somebody else put there stays, and so does the folder that another process holds.
        fails(&|| {
            fs::write(place.path().join("a/x"), "").map_err(Error::io("write", "x")).and(failed())
        });
        assert!(made.join("x").exists() && !made.join("b").exists());
        fails(&|| Err(Error::InUse { path: deep.clone(), process: None }));
        assert!(deep.exists());
        in_folder(&deep, || Ok(())).unwrap();
        // A folder that was there is never removed.
        fails(&failed);
        assert!(deep.exists());
        let file = made.join("x/y");
        assert!(matches!(in_folder(&file, || Ok(())), Err(Error::Io { .. })));
    }
}
