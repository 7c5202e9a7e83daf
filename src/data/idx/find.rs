//! The IDX files of a dataset, found by their names: those of MNIST, and what EMNIST, QMNIST, their
//! mirrors and unpackers make of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::header::Kind;
use super::other;
use crate::data::Note;
use crate::error::{Error, Result};

/// Folders below the one that was named which are searched: torchvision's files lie in the second.
const DEPTH: usize = 4;

/// A split of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Train,
    Test,
}

/// The words in a file's name that stand for a split.
const SPLITS: [(&str, Split); 9] = [
    ("train", Split::Train),
    ("training", Split::Train),
    ("t10k", Split::Test),
    ("test", Split::Test),
    ("testing", Split::Test),
    ("val", Split::Test),
    ("valid", Split::Test),
    ("validation", Split::Test),
    ("dev", Split::Test),
];

/// The words in a file's name that stand for a kind of contents.
const KINDS: [(&str, Kind); 5] = [
    ("images", Kind::Images),
    ("image", Kind::Images),
    ("patterns", Kind::Images),
    ("labels", Kind::Labels),
    ("label", Kind::Labels),
];

/// The parts of an IDX file's name, as of `emnist-digits-train-images-idx3-ubyte.gz`.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// The part before the split, as `emnist-digits`; empty for MNIST.
    set: String,
    split: Split,
    /// The word for the split, in lower case; empty if there is none, which means training.
    word: String,
    kind: Kind,
    /// Whether it ends in `.gz`.
    packed: bool,
    /// Whether it is an archive, which must be unpacked first.
    archive: bool,
}

impl Name {
    /// Reads `name` without regard to case; `None` if it is not that of an IDX file.
    fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let gz = lower.strip_suffix(".gz");
        let archive = other::ARCHIVES.iter().find_map(|end| lower.strip_suffix(end));
        let stem = gz.or(archive).unwrap_or(&lower);
        let words: Vec<&str> = stem.split(['-', '_', '.', ' ']).collect();
        let known = |word: &&str| KINDS.iter().find(|(known, _)| known == word);
        let at = words.iter().rposition(|word| known(word).is_some())?;
        let (_, kind) = known(&words[at])?;
        let is_idx = |word: &&str| word.starts_with("idx") || *word == "ubyte";
        if !words[at + 1..].iter().any(is_idx) {
            return None;
        }
        let before = &words[..at];
        let split = before.last().and_then(|word| SPLITS.iter().find(|(known, _)| known == word));
        let (word, split) = split.map_or(("", Split::Train), |&(word, split)| (word, split));
        let set = &before[..before.len() - usize::from(!word.is_empty())];
        Some(Self {
            set: set.join("-"),
            split,
            word: word.into(),
            kind: *kind,
            packed: gz.is_some(),
            archive: gz.is_none() && archive.is_some(),
        })
    }
}

/// A file with an IDX name.
struct Found {
    path: PathBuf,
    /// The folder that it belongs to.
    folder: PathBuf,
    name: Name,
}

impl Found {
    fn new(path: &Path) -> Option<Self> {
        let file = path.file_name()?.to_str()?;
        let name = Name::parse(file)?;
        let mut folder = path.parent()?;
        // Some archives unpack to a folder of the file's name with the file in it.
        if let Some(outer) = folder.file_name().and_then(|outer| outer.to_str())
            && Name::parse(outer).is_some_and(|outer| {
                (outer.kind, outer.split, &outer.set) == (name.kind, name.split, &name.set)
            })
        {
            folder = folder.parent()?;
        }
        Some(Self { path: path.into(), folder: folder.into(), name })
    }
}

/// The files of one dataset.
pub(in crate::data) struct Set {
    /// The part of their names before the split, as `emnist-digits`; empty for MNIST.
    pub name: String,
    files: Vec<Found>,
    /// Remarks on what lies beside them and is left aside.
    pub notes: Vec<Note>,
}

impl Set {
    /// The file of that split and kind. An unpacked file is preferred to the archive it came from.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] when there are two files under different words for the split, or an archive
    /// that has to be unpacked.
    pub(super) fn file(&self, split: Split, kind: Kind) -> Result<Option<&Path>> {
        let fits = |found: &&Found| (found.name.split, found.name.kind) == (split, kind);
        let mut files: Vec<&Found> = self.files.iter().filter(fits).collect();
        files.sort_by_key(|found| (found.name.archive, found.name.packed, &found.path));
        let Some(first) = files.first() else { return Ok(None) };
        if first.name.archive {
            return Err(Error::data(&first.path, "is an archive; unpack it beside itself"));
        }
        let differs = |found: &&&Found| found.name.word != first.name.word && !found.name.archive;
        if let Some(second) = files.iter().find(differs) {
            let message = format!(
                "is there beside {}, and both would be the {} split; take one out of the folder",
                shown(&second.path, &first.folder),
                if split == Split::Test { "test" } else { "training" }
            );
            return Err(Error::data(&first.path, message));
        }
        Ok(Some(&first.path))
    }

    fn has_images(&self) -> bool {
        self.files.iter().any(|found| found.name.kind == Kind::Images && !found.name.archive)
    }

    /// The file by which a user can name this set: its training images.
    fn example(&self) -> &Path {
        let images = self.files.iter().filter(|found| found.name.kind == Kind::Images);
        let first = images.min_by_key(|found| (found.name.archive, found.name.split as u8));
        &first.expect("a set has images").path
    }
}

fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// Finds the IDX dataset at `path`: the one in that folder, or else the one in the folders below it,
/// or the one that the named file belongs to. `None` if a folder holds none and may hold images of
/// another kind.
///
/// # Errors
///
/// [`Error::Data`] when there are several datasets, or none but files of a kind that is not read.
pub(in crate::data) fn find(path: &Path) -> Result<Option<Set>> {
    if !path.is_dir() {
        return find_by_file(path).map(Some);
    }
    let mut files = Vec::new();
    let walk = WalkDir::new(path).follow_links(true).max_depth(DEPTH).sort_by_file_name();
    // What cannot be read here is for the reader of image folders to name.
    for entry in walk.into_iter().filter_entry(|e| e.depth() == 0 || !is_hidden(e.path())).flatten()
    {
        if !entry.file_type().is_dir() {
            files.push(entry.into_path());
        }
    }
    let mut sets = sets(&files);
    let here = sets.iter().any(|(folder, _)| folder == path);
    let unread = other::unread_images(path, &files);
    if !here && unread.is_some() {
        return Ok(None);
    }
    let mut notes = Vec::from_iter(unread);
    if here {
        let below = sets.extract_if(.., |(folder, _)| folder != path);
        let text = |set: &Set| format!("not read: the dataset of {}", shown(set.example(), path));
        notes.extend(below.map(|(_, set)| Note::new(text(&set))));
    }
    if sets.len() > 1 {
        return Err(several(path, &sets));
    }
    match sets.pop() {
        Some((_, set)) => Ok(Some(Set { notes, ..set })),
        None => other::refuse(path, &files).map(|()| None),
    }
}

/// The datasets among `files`, each with its folder, in order.
fn sets(files: &[PathBuf]) -> Vec<(PathBuf, Set)> {
    let mut sets = BTreeMap::<_, Vec<Found>>::new();
    for found in files.iter().filter_map(|file| Found::new(file)) {
        sets.entry((found.folder.clone(), found.name.set.clone())).or_default().push(found);
    }
    let sets = sets
        .into_iter()
        .map(|((folder, name), files)| (folder, Set { name, files, notes: Vec::new() }));
    sets.filter(|(_, set)| set.has_images()).collect()
}

/// The dataset that the file at `path` belongs to.
fn find_by_file(path: &Path) -> Result<Set> {
    let found = Found::new(path).filter(|found| !found.name.archive);
    let Some(named) = found else {
        other::refuse(path, &[path.to_owned()])?;
        return Err(Error::data(
            path,
            "is not a folder; a dataset is a folder of IDX files or of images",
        ));
    };
    let mut files = vec![path.to_owned()];
    for entry in WalkDir::new(&named.folder).max_depth(2).sort_by_file_name().into_iter().flatten()
    {
        if !entry.file_type().is_dir() && entry.path() != path {
            files.push(entry.into_path());
        }
    }
    let same =
        |(folder, set): &(PathBuf, Set)| (folder, &set.name) == (&named.folder, &named.name.set);
    let set = sets(&files).into_iter().find(same).map(|(_, set)| set);
    set.ok_or_else(|| Error::data(path, "holds labels; name the file of images beside it"))
}

/// The most datasets that are named in one line.
const NAMED: usize = 8;

fn several(path: &Path, sets: &[(PathBuf, Set)]) -> Error {
    let name = |(folder, set): &(PathBuf, Set)| {
        let label = shown(&folder.join(&set.name), path);
        let label = label.trim_end_matches('/');
        if label.is_empty() { shown(set.example(), path) } else { label.to_owned() }
    };
    let mut names: Vec<String> = sets.iter().take(NAMED).map(name).collect();
    if sets.len() > NAMED {
        names.push("others".into());
    }
    let example = sets[0].1.example().display();
    let names = names.join(", ");
    Error::data(
        path,
        format!("holds several datasets: {names}; name one by its file, as in {example}"),
    )
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map_or(&[][..], |name| name.as_encoded_bytes());
    name.starts_with(b".") || name == b"__MACOSX"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_their_parts() {
        let (images, labels) = (Kind::Images, Kind::Labels);
        let (train, test) = (Split::Train, Split::Test);
        for (file, set, split, word, kind) in [
            ("train-images-idx3-ubyte", "", train, "train", images),
            ("T10K-LABELS.IDX1-UBYTE", "", test, "t10k", labels),
            ("emnist-digits-test-images-idx3-ubyte", "emnist-digits", test, "test", images),
            ("qmnist-train-labels-idx2-int", "qmnist", train, "train", labels),
            ("train_images.idx", "", train, "train", images),
            ("training-images-ubyte", "", train, "training", images),
            ("mnist8m-patterns-idx3-ubyte", "mnist8m", train, "", images),
        ] {
            for (end, packed, archive) in
                [("", false, false), (".gz", true, false), (".zip", false, true)]
            {
                let (set, word) = (set.into(), word.into());
                let wanted = Name { set, split, word, kind, packed, archive };
                assert_eq!(Name::parse(&format!("{file}{end}")), Some(wanted), "{file}{end}");
            }
        }
        for file in ["train-images", "images.zip", "idx3-ubyte", "train-images.png", "x.idx3-ubyte"]
        {
            assert_eq!(Name::parse(file), None, "{file}");
        }
    }
}
