//! The images of a folder, by split and class.

use std::collections::BTreeMap;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::bad::Bad;
use super::names::{Part, extension, is_image, is_like_test, is_system, part};
use crate::data::Note;
use crate::error::{Error, Result};
use crate::words::counted;

/// The files of a folder, as far as they matter.
#[derive(Default)]
pub struct Found {
    /// Image files to train on, in order.
    pub train: Vec<PathBuf>,
    /// Image files to test on, in order, if there is a split for that.
    pub test: Option<Vec<PathBuf>>,
    /// Files and folders that cannot be read.
    pub bad: Vec<Bad>,
    /// Remarks on what was left aside.
    pub notes: Vec<Note>,
    /// Folders of splits.
    splits: Vec<Split>,
}

/// A folder that is a split, or a part of one, by its name.
struct Split {
    folder: PathBuf,
    part: Part,
}

/// What lies under a folder.
#[derive(Default)]
struct Tree {
    images: Vec<PathBuf>,
    /// Folders with the name of a part of a dataset, a folder before those in it.
    parts: Vec<(Split, bool)>,
    /// Numbers of files of other kinds, by extension.
    others: BTreeMap<Option<String>, usize>,
    bad: Vec<Bad>,
}

impl Found {
    /// The class of each of `files`, which is the first folder on the path to it from the folder of its
    /// split, or from `root` where there are no splits; `None` if a file lies in no such folder, or in one
    /// whose name is not Unicode. Where each class has folders for its splits, the class is their parent.
    pub fn classes<'a>(&self, root: &Path, files: &[&'a Path]) -> Option<Vec<&'a str>> {
        let class = |file: &'a Path| {
            let split = self.splits.iter().map(|split| &*split.folder);
            let folder = split.into_iter().find(|folder| file.starts_with(folder)).unwrap_or(root);
            let mut parts = file.strip_prefix(folder).ok()?.iter();
            let first = parts.next()?.to_str()?;
            if parts.next().is_some() {
                return Some(first);
            }
            // A file in `cat/train`.
            let depth = folder.iter().count();
            let parent = folder.parent().filter(|parent| *parent != root && folder != root)?;
            self.has_several_parents().then_some(())?;
            debug_assert!(file.starts_with(parent));
            file.iter().nth(depth - 2)?.to_str()
        };
        files.iter().map(|file| class(file)).collect()
    }

    fn has_several_parents(&self) -> bool {
        let first = self.splits.first().and_then(|split| split.folder.parent());
        self.splits.iter().any(|split| split.folder.parent() != first)
    }
}

/// Finds the image files under `root`. Folders named `train` and `test` or `val`, or with other usual names
/// of these, are splits wherever they lie beside each other; otherwise every image is for training.
///
/// # Errors
///
/// [`Error::Data`] when a split is named twice, lacks its training images or has no images at all,
/// [`Error::Io`] when `root` cannot be read.
pub fn find(root: &Path) -> Result<Found> {
    let tree = walk(root)?;
    let splits = accepted(&tree.parts)?;
    let mut notes = Vec::new();
    let others = unread(&tree);
    if splits.is_empty() {
        if tree.images.is_empty() && tree.bad.is_empty() {
            let but = others.map_or(String::new(), |others| format!("; it holds {others}"));
            let message = format!(
                "holds no dataset: looked for train-images-idx3-ubyte (also .gz) in it, and for images \
                 (.png, .jpg, .webp, .gif, .bmp, .tif and more) in it and its subfolders{but}"
            );
            return Err(Error::data(root, message));
        }
        notes.extend(doubtful(&tree.images, root));
        notes.extend(others.map(|others| Note::new(format!("not read: {others}"))));
        return Ok(Found { train: tree.images, bad: tree.bad, notes, ..Found::default() });
    }
    let mut files: BTreeMap<Part, Vec<PathBuf>> = BTreeMap::new();
    splits.iter().for_each(|split| {
        files.entry(split.part).or_default();
    });
    let mut outside = Vec::new();
    for image in tree.images {
        match splits.iter().find(|split| image.starts_with(&split.folder)) {
            Some(split) => files.entry(split.part).or_default().push(image),
            None => outside.push(image),
        }
    }
    let named = |part| {
        let split = splits.iter().find(|split| split.part == part);
        split.map_or(root, |split| &*split.folder)
    };
    for (part, files) in &files {
        // Files that cannot be read are told of later.
        let is_bad = tree.bad.iter().any(|bad| bad.path.starts_with(named(*part)));
        if files.is_empty() && !is_bad {
            let message = "holds no image file; put images into it or remove it";
            return Err(Error::data(named(*part), message));
        }
    }
    let train = files.remove(&Part::Train).unwrap_or_default();
    let validation = files.remove(&Part::Validation);
    let mut test = files.remove(&Part::Test);
    if let Some(validation) = validation
        && let Some(left) = test.replace(validation)
    {
        let text = format!(
            "not read: {}/ ({}), since {}/ is the test split; evaluate on it in the end",
            relative(named(Part::Test), root).display(),
            counted(left.len(), "image"),
            relative(named(Part::Validation), root).display()
        );
        notes.push(Note::new(text));
    }
    if let Some(first) = outside.first() {
        let text = format!(
            "not read: {} outside of the splits, such as {}",
            counted(outside.len(), "image"),
            relative(first, root).display()
        );
        notes.push(Note::new(text));
    }
    notes.extend(others.map(|others| Note::new(format!("not read: {others}"))));
    Ok(Found { train, test, bad: tree.bad, notes, splits })
}

/// A remark on `images` that are read for training though the name of a folder under `root` says otherwise.
fn doubtful(images: &[PathBuf], root: &Path) -> Option<Note> {
    let images = images.iter().map(|image| relative(image, root));
    let mut doubtful = images.filter(|image| {
        let mut folders = image.parent().into_iter().flat_map(Path::iter);
        folders.any(|folder| folder.to_str().is_some_and(is_like_test))
    });
    let first = doubtful.next()?.display();
    let count = counted(1 + doubtful.count(), "image");
    let text = format!(
        "read for training: {count} that may be test images by the name of their folder, such as {first}; \
         splits are called train and test"
    );
    Some(Note::new(text))
}

/// The folders that are splits: those that lie beside one for training.
fn accepted(parts: &[(Split, bool)]) -> Result<Vec<Split>> {
    let mut accepted: Vec<Split> = Vec::new();
    let mut groups: Vec<(&Path, Vec<&(Split, bool)>)> = Vec::new();
    for part in parts {
        let parent = part.0.folder.parent().unwrap_or(Path::new(""));
        match groups.iter_mut().find(|(of, _)| *of == parent) {
            Some((_, group)) => group.push(part),
            None => groups.push((parent, vec![part])),
        }
    }
    groups.sort_by_key(|(parent, _)| parent.iter().count());
    for (parent, group) in groups {
        // What lies within a split is a class of it.
        if accepted.iter().any(|split| parent.starts_with(&split.folder)) {
            continue;
        }
        let is_train = |(split, _): &&&(Split, bool)| split.part == Part::Train;
        if group.iter().find(is_train).is_none() {
            let Some((split, _)) = group.iter().find(|(_, only_beside)| !only_beside) else {
                continue;
            };
            let name = split.folder.file_name().unwrap_or_default().to_string_lossy();
            let message = format!(
                "has a folder {name}/ but no train/; add train/, or rename {name}/ to train on all images"
            );
            return Err(Error::data(parent, message));
        }
        for (at, (split, _)) in group.iter().enumerate() {
            if let Some((other, _)) = group[..at].iter().find(|(of, _)| of.part == split.part) {
                let name = |split: &Split| split.folder.file_name().unwrap_or_default().to_owned();
                let message = format!(
                    "holds both {}/ and {}/, which mean the same split; rename one of them",
                    name(other).to_string_lossy(),
                    name(split).to_string_lossy()
                );
                return Err(Error::data(parent, message));
            }
            accepted.push(Split { folder: split.folder.clone(), part: split.part });
        }
    }
    Ok(accepted)
}

/// The files that are not taken for images, in words.
fn unread(tree: &Tree) -> Option<String> {
    let mut others: Vec<_> = tree.others.iter().collect();
    others.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let total: usize = others.iter().map(|(_, count)| **count).sum();
    let kinds = others.iter().take(MOST_KINDS).map(|(extension, count)| match extension {
        Some(extension) => format!("{count} .{extension}"),
        None => format!("{count} without extension"),
    });
    let more = others.iter().skip(MOST_KINDS).map(|(_, count)| **count).sum::<usize>();
    let more = (more > 0).then(|| format!("{more} of other kinds"));
    let words: Vec<String> = kinds.chain(more).collect();
    (total > 0).then(|| format!("{} ({})", counted(total, "file"), words.join(", ")))
}

/// Kinds of files that are counted one by one.
const MOST_KINDS: usize = 6;

/// The path of what lies under `root` from there.
pub fn relative<'a>(path: &'a Path, root: &Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

fn walk(root: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|e| e.depth() == 0 || !is_system(e.path())) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() && entry.depth() > 0 => {
                if let Some((part, only_beside)) = entry.file_name().to_str().and_then(part) {
                    let folder = entry.into_path();
                    tree.parts.push((Split { folder, part }, only_beside));
                }
            }
            Ok(entry) if !entry.file_type().is_dir() && is_image(entry.path()) => {
                tree.images.push(entry.into_path());
            }
            Ok(entry) if entry.file_type().is_file() => {
                *tree.others.entry(extension(entry.path())).or_default() += 1;
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let is_dangling = error.io_error().is_some_and(|error| error.kind() == NotFound);
                // Some editors use dangling links as locks, which are no images.
                if is_system(&path) || (is_dangling && path != root && !is_image(&path)) {
                    continue;
                }
                let is_root = path == root;
                match error.into_io_error() {
                    Some(source) if is_root => return Err(Error::io("read", path)(source)),
                    Some(source) => tree.bad.push(Bad::unreadable(&path)(source)),
                    None => {
                        let message = "links to a folder it lies in; remove the link";
                        return Err(Error::data(path, message));
                    }
                }
            }
        }
    }
    Ok(tree)
}
