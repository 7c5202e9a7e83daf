//! Datasets of which only the headers have been read.

use std::path::Path;

use super::{Dataset, ImageShape, Note, ReadOptions, Splits, Table, folder, idx, levels};
use crate::error::{Error, Result};

/// What the headers of a dataset's files say, before their pixels are decoded: for refusing early what
/// cannot fit. [`Survey::read`] goes on from there.
pub struct Survey {
    /// Short name, as [`Dataset::name`].
    pub name: String,
    /// Shape of every image, as the options have it.
    pub shape: ImageShape,
    /// Number of images to train on.
    pub train: usize,
    /// Number of images of the test split, if there is one.
    pub test: Option<usize>,
    source: Source,
}

/// What is still to be read.
enum Source {
    /// Nothing: to read it takes no longer than its headers.
    Tables(Splits, Vec<Note>),
    Folder(Box<folder::Headers>),
}

impl Survey {
    pub(super) fn new(path: &Path, options: &ReadOptions) -> Result<Self> {
        std::fs::metadata(path).map_err(Error::io("read the dataset", path))?;
        let set = idx::find(path)?;
        let canonical = path.canonicalize().map_err(Error::io("read", path))?;
        let named = set.as_ref().map(|set| set.name.clone()).filter(|name| !name.is_empty());
        let folder = if path.is_dir() { Some(&*canonical) } else { canonical.parent() };
        let folder = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into());
        let name = named.or(folder).unwrap_or_else(|| "data".into());
        if let Some(set) = set {
            return Self::of(name, idx::read(&set, options)?, set.notes);
        }
        let headers = folder::Headers::read(path, options)?;
        Ok(Self {
            name,
            shape: headers.shape,
            train: headers.train.len(),
            test: headers.test.as_ref().map(Vec::len),
            source: Source::Folder(Box::new(headers)),
        })
    }

    fn of(name: String, splits: Splits, notes: Vec<Note>) -> Result<Self> {
        let (train, test) = &splits;
        Ok(Self {
            name,
            shape: train.shape()?,
            train: train.len(),
            test: test.as_ref().map(Table::len),
            source: Source::Tables(splits, notes),
        })
    }

    /// Decodes the dataset.
    ///
    /// # Errors
    ///
    /// The same as [`Dataset::read`].
    pub fn read(self) -> Result<Dataset> {
        let (splits, mut notes, key) = match self.source {
            Source::Folder(headers) => {
                let (splits, notes) = headers.decode()?;
                (splits, notes, Some("white"))
            }
            Source::Tables(splits, notes) => (splits, notes, None),
        };
        notes.extend(levels::note(&splits, key)?.filter(|note| !notes.contains(note)));
        let (train, test) = splits;
        Ok(Dataset { name: self.name, train, test, notes })
    }
}

impl TryFrom<Dataset> for Survey {
    type Error = Error;

    /// A dataset that was read already.
    fn try_from(data: Dataset) -> Result<Self> {
        Self::of(data.name, (data.train, data.test), data.notes)
    }
}
