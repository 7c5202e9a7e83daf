//! The images of a folder, by split and class.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::{Error, Result};

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The image files of a split, in order.
pub(super) struct Split {
    /// The folder that was searched.
    folder: PathBuf,
    pub files: Vec<PathBuf>,
}

impl Split {
    /// The class of each file, which is the first folder on the path to it from the split's folder;
    /// `None` if a file lies in no such folder, or in one whose name is not Unicode.
    pub fn classes(&self) -> Option<Vec<&str>> {
        self.files.iter().map(|file| class(&self.folder, file)).collect()
    }
}

fn class<'a>(folder: &Path, file: &'a Path) -> Option<&'a str> {
    let inside = file.strip_prefix(folder).ok()?;
    let mut parts = inside.iter();
    let first = parts.next()?.to_str();
    parts.next().and(first)
}

/// The image files of the training split and, if there is one, of the test split.
pub(super) fn find_splits(folder: &Path) -> Result<(Split, Option<Split>)> {
    let (train, test) = (folder.join("train"), folder.join("test"));
    match (train.is_dir(), test.is_dir()) {
        (true, true) => Ok((find_split(train)?, Some(find_split(test)?))),
        (true, false) => Ok((find_split(train)?, None)),
        (false, true) => Err(Error::data(
            folder,
            "has a folder test/ but no train/; add train/, or rename test/ to train on all images",
        )),
        (false, false) => match find_images(folder)? {
            files if files.is_empty() => Err(Error::data(
                folder,
                "holds no dataset: looked for train-images-idx3-ubyte (also .gz) in it, and for \
                 .png, .jpg and .jpeg files in it and its subfolders",
            )),
            files => Ok((Split { folder: folder.to_owned(), files }, None)),
        },
    }
}

fn find_split(folder: PathBuf) -> Result<Split> {
    match find_images(&folder)? {
        files if files.is_empty() => Err(Error::data(
            folder,
            "holds no .png, .jpg or .jpeg file; put images into it or remove it",
        )),
        files => Ok(Split { folder, files }),
    }
}

fn find_images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|e| e.depth() == 0 || !is_hidden(e.path())) {
        match entry {
            Ok(entry) if !entry.file_type().is_dir() && is_image(entry.path()) => {
                files.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                let dangling =
                    error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
                // Some editors use dangling links as locks, which are no images.
                if dangling && (is_hidden(&path) || !is_image(&path)) {
                    continue;
                }
                return Err(match error.into_io_error() {
                    Some(source) => Error::io("read", path)(source),
                    None => Error::data(path, "links to a folder it lies in; remove the link"),
                });
            }
        }
    }
    Ok(files)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|e| found.eq_ignore_ascii_case(e)))
}
