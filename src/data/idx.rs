//! Datasets of IDX files, as MNIST and its kin ship them.

mod file;
mod find;
mod header;
mod open;
mod other;

use std::path::Path;

pub(super) use find::{Set, find};

use self::find::Split;
use self::header::Kind;
use super::pack::{self, Place};
use super::{Column, ImageShape, PackedImages, ReadOptions, Splits, Table};
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
    let train = Declared::of(train_path)?;
    check_options(train_path, options, train.shape)?;
    let test = test_path.map(|path| Ok((Declared::of(path)?, path))).transpose()?;
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
    let declared = [Some(&train), test.as_ref().map(|(test, _)| test)];
    let bytes = declared.iter().flatten().map(|split| split.bytes()).sum();
    let in_memory = pack::fit_memory(options, bytes);
    let table = |split: &Declared, path: &Path, labels: Option<Vec<u32>>| {
        let table = Table::new().with(Table::IMAGE, split.read(path, options, in_memory)?)?;
        let Some(labels) = labels else { return Ok(table) };
        table.with(Table::LABEL, Column::numbered_classes(classes, labels))
    };
    let train = table(&train, train_path, train_labels)?;
    Ok((train, test.map(|(test, path)| table(&test, path, test_labels)).transpose()?))
}

/// The labels of `split`, one for each of its `images`, which lie at `images_path`; `None` if there
/// is no file of labels.
fn read_labels(
    set: &Set,
    split: Split,
    images: &Declared,
    images_path: &Path,
) -> Result<Option<Vec<u32>>> {
    let Some(path) = set.file(split, Kind::Labels)? else { return Ok(None) };
    let labels = file::labels(path)?;
    if labels.len() != images.count {
        return Err(Error::data(
            path,
            format!(
                "holds {} labels while {} holds {} images; both must come from one dataset, or \
                 take the labels out of the folder",
                labels.len(),
                images_path.display(),
                images.count
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
        options.background.map(|background| ("background", background.to_string())),
        options.white.filter(|&white| white != 255).map(|white| ("white", white.to_string())),
    ];
    let Some((key, value)) = given.into_iter().flatten().next() else { return Ok(()) };
    let message = format!(
        "is for folders of image files, but {} holds grey IDX images of {width}x{height}; leave \
         it out",
        path.display()
    );
    Err(Error::config(key, value, message))
}

/// The images that a file declares.
struct Declared {
    shape: ImageShape,
    count: usize,
    /// Whether it is packed by gzip.
    is_packed: bool,
}

impl Declared {
    fn of(path: &Path) -> Result<Self> {
        let ([count, height, width], is_packed) = file::declared(path)?;
        let shape = ImageShape { width, height, channels: 1 };
        if let Err(error) = shape.check() {
            // A claim that is not kept is the cause to name.
            file::check_whole(path)?;
            return Err(Error::data(path, format!("holds {error}")));
        }
        Ok(Self { shape, count, is_packed })
    }

    fn bytes(&self) -> u128 {
        self.count as u128 * self.shape.pixels() as u128
    }

    /// The images of the file at `path`; where they are not to be in memory, still in that file, or in
    /// one of the cache if it is packed.
    fn read(&self, path: &Path, options: &ReadOptions, in_memory: bool) -> Result<Column> {
        let Self { shape, count, is_packed } = *self;
        if !in_memory && !is_packed {
            return Ok(Column::Packed(PackedImages::open(path, shape, count, file::OFFSET)?));
        }
        let source = (!in_memory).then(|| pack::source(path, [path], options)).transpose()?;
        match Place::of(path, shape, count, source)? {
            Place::Found(images, _) => Ok(images),
            Place::New(mut sink) => {
                file::images(path, &mut sink)?;
                sink.finish(false)
            }
        }
    }
}
