//! Files of kinds that are not read, by the ends of their names.

use std::path::{Path, PathBuf};

use crate::data::{Note, folder};
use crate::error::{Error, Result};
use crate::words::counted;

/// The ends of archives' names.
pub(super) const ARCHIVES: [&str; 9] =
    [".tar.gz", ".tgz", ".tar", ".zip", ".7z", ".rar", ".bz2", ".xz", ".zst"];

/// A kind of file that is not read: the ends of its names, what it is, and what to do.
type Other = (&'static [&'static str], &'static str, &'static str);

const WRITE: &str = "write its images as PNG files or as an IDX file";

/// All that are recognised, what is likeliest to hold the images first.
const OTHERS: [Other; 9] = [
    (&ARCHIVES, "an archive", "unpack it and name its folder"),
    (&[".bin"], "a binary batch as CIFAR's", WRITE),
    (&[".npz", ".npy"], "a file of NumPy arrays", WRITE),
    (&[".parquet", ".arrow", ".feather"], "a columnar table", WRITE),
    (&[".mat", ".h5", ".hdf5", ".tfrecord", ".tfrecords"], "a container of arrays", WRITE),
    (&[".pt", ".pth", ".pkl", ".pickle"], "a Python pickle", WRITE),
    (&["-idx3", "-ubyte", ".ubyte", ".idx", ".idx3", ".idx1", "-int"], IDX, NAME),
    (&[".csv", ".tsv"], "a table of text", WRITE),
    (&[".gz"], "a gzipped file that is none of IDX images by its name", NAME),
];

const IDX: &str = "an IDX file whose name says no \"images\"";
const NAME: &str = "IDX images to train on are named as train-images-idx3-ubyte is";

/// Whether the name of `path` is that of an image, of any format that there is a name for.
fn is_image(path: &Path) -> bool {
    folder::is_image(path) || image::ImageFormat::from_path(path).is_ok()
}

/// A remark on the images among `files`, found at `path`, which are not read where there are IDX files; none
/// if there is no image.
pub(super) fn unread_images(path: &Path, files: &[PathBuf]) -> Option<Note> {
    let images = || files.iter().filter(|file| is_image(file));
    let first = images().next()?;
    let first = first.strip_prefix(path).unwrap_or(first).display();
    let count = counted(images().count(), "image file");
    Some(Note::new(format!("not read: {count} beside the IDX files, such as {first}")))
}

/// Whether a file lies in CIFAR's archive for Python, whose batches have no extension.
fn is_cifar_pickle(name: &str) -> bool {
    name.starts_with("data_batch_") && !name.contains('.')
}

/// Fails if one of `files`, found at `path`, is of a kind that is recognised but not read.
///
/// # Errors
///
/// [`Error::Data`] naming the first of the likeliest kind.
pub(super) fn refuse(path: &Path, files: &[PathBuf]) -> Result<()> {
    let name = |file: &PathBuf| {
        file.file_name().map_or(String::new(), |name| name.to_string_lossy().to_ascii_lowercase())
    };
    let find = |ends: &[&str]| {
        files.iter().find(|file| {
            let name = name(file);
            let labelled = name.contains("-labels");
            !labelled && ends.iter().any(|end| name.ends_with(end))
        })
    };
    let ended = OTHERS.iter().find_map(|&(ends, what, todo)| Some((find(ends)?, what, todo)));
    let pickle = files.iter().find(|file| is_cifar_pickle(&name(file)));
    let pickle = pickle.map(|file| (file, "a Python pickle as CIFAR's", WRITE));
    let Some((file, what, todo)) = ended.or(pickle) else { return Ok(()) };
    let message = match file == path {
        true => format!("is {what}, which is not read; {todo}"),
        false => format!(
            "holds no images that can be read; {} is {what}: {todo}",
            file.strip_prefix(path).unwrap_or(file).display()
        ),
    };
    Err(Error::data(path, message))
}
