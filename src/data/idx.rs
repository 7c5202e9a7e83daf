//! Datasets of IDX files, as MNIST and its kin ship them.

mod file;
mod find;
mod other;

use std::path::Path;

pub(super) use find::{Set, find};

use self::file::Kind;
use self::find::Split;
use super::{Column, ImageShape, Images, ReadOptions, Splits, Table};
use crate::error::{Error, Result};

/// Reads the splits of `set`.
pub(super) fn read(set: &Set, options: &ReadOptions) -> Result<Splits> {
    let find = |split| set.file(split, Kind::Images);
    let (train_path, test_path) = match (find(Split::Train)?, find(Split::Test)?) {
        (Some(train), test) => (train, test),
        (None, Some(test)) => {
            let name = if set.name.is_empty() { String::new() } else { format!("{}-", set.name) };
            return Err(Error::data(
                test,
                format!(
                    "is there without its training file; put {name}train-images-idx3-ubyte or \
                     {name}train-images-idx3-ubyte.gz beside it"
                ),
            ));
        }
        (None, None) => unreachable!("a set has images"),
    };
    let train = read_images(train_path)?;
    check_options(train_path, options, train.shape)?;
    let test = test_path.map(|path| Ok((read_images(path)?, path))).transpose()?;
    if let Some((test, test_path)) = &test
        && test.shape != train.shape
    {
        return Err(Error::data(
            test_path,
            format!(
                "holds images of {}x{} while {} holds images of {}x{}; both must come from one \
                 dataset",
                test.shape.width,
                test.shape.height,
                train_path.display(),
                train.shape.width,
                train.shape.height
            ),
        ));
    }
    let train_labels = read_labels(set, Split::Train, &train, train_path)?;
    let test_labels = match &test {
        Some((test, test_path)) => read_labels(set, Split::Test, test, test_path)?,
        None => None,
    };
    let largest = [&train_labels, &test_labels].into_iter().flatten().flatten().max();
    let classes = largest.map_or(0, |&largest| largest as usize + 1);
    let table = |images: Images, labels: Option<Vec<u32>>| {
        let table = Table::new().with(Table::IMAGE, images)?;
        let Some(labels) = labels else { return Ok(table) };
        table.with(Table::LABEL, Column::numbered_classes(classes, labels))
    };
    let test = test.map(|(test, _)| table(test, test_labels)).transpose()?;
    Ok((table(train, train_labels)?, test))
}

/// The labels of `split`, one for each of its `images`, which lie at `images_path`; `None` if there
/// is no file of labels.
fn read_labels(
    set: &Set,
    split: Split,
    images: &Images,
    images_path: &Path,
) -> Result<Option<Vec<u32>>> {
    let Some(path) = set.file(split, Kind::Labels)? else { return Ok(None) };
    let labels = file::labels(path)?;
    if labels.len() != images.len() {
        return Err(Error::data(
            path,
            format!(
                "holds {} labels while {} holds {} images; both must come from one dataset, or \
                 take the labels out of the folder",
                labels.len(),
                images_path.display(),
                images.len()
            ),
        ));
    }
    Ok(Some(labels))
}

fn check_options(path: &Path, options: &ReadOptions, shape: ImageShape) -> Result<()> {
    let ImageShape { width, height, channels } = shape;
    let size = options.size.filter(|&size| size != (width, height));
    let given = [
        size.map(|(w, h)| ("size", format!("{w}x{h}"))),
        options.channels.filter(|&c| c != channels).map(|c| ("channels", c.to_string())),
    ];
    let Some((key, value)) = given.into_iter().flatten().next() else { return Ok(()) };
    let message = format!(
        "is for folders of PNG/JPEG images, but {} holds grey IDX images of {width}x{height}; leave \
         it out",
        path.display()
    );
    Err(Error::config(key, value, message))
}

fn read_images(path: &Path) -> Result<Images> {
    let ([_, height, width], pixels) = file::images(path)?;
    let images = Images { shape: ImageShape { width, height, channels: 1 }, pixels };
    images.check().map_err(|error| Error::data(path, format!("holds {error}")))?;
    Ok(images)
}
