//! IDX files as MNIST ships them: the `train` and `t10k` images and labels, gzipped or not.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{Column, ImageShape, Images, ReadOptions, Splits, Table};
use crate::error::{Error, Result};

/// One of the two kinds of IDX file, images or labels.
#[derive(Clone, Copy)]
struct Kind {
    /// Name of the contents, which is also a part of the file's name.
    name: &'static str,
    /// Magic number: the code of unsigned bytes (8), and the number of dimensions as the last byte.
    magic: u32,
}

const IMAGES: Kind = Kind { name: "images", magic: 0x0803 };
const LABELS: Kind = Kind { name: "labels", magic: 0x0801 };

impl Kind {
    fn dimensions(self) -> usize {
        self.magic as usize & 0xff
    }

    /// The file of `split` in `folder`. An unpacked file is preferred to the archive it came from.
    fn find(self, folder: &Path, split: &str) -> Option<PathBuf> {
        let Self { name, .. } = self;
        let dimensions = self.dimensions();
        ["", ".gz"]
            .iter()
            .flat_map(|packed| ["-", "."].map(|dot| (packed, dot)))
            .map(|(packed, dot)| format!("{split}-{name}{dot}idx{dimensions}-ubyte{packed}"))
            .map(|file| folder.join(file))
            .find(|path| path.is_file())
    }
}

/// Reads the splits of `folder`; `None` if it holds no IDX file of images.
pub(super) fn read(folder: &Path, options: &ReadOptions) -> Result<Option<Splits>> {
    let find = |split| IMAGES.find(folder, split);
    let (train_path, test_path) = match (find("train"), find("t10k")) {
        (None, None) => return Ok(None),
        (Some(train), test) => (train, test),
        (None, Some(test)) => {
            return Err(Error::data(
                test,
                "is there without its training file; put train-images-idx3-ubyte or \
                 train-images-idx3-ubyte.gz beside it",
            ));
        }
    };
    let train = read_images(&train_path)?;
    check_options(folder, options, train.shape)?;
    let test = test_path.map(|path| Ok((read_images(&path)?, path))).transpose()?;
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
    let train_labels = read_labels(folder, "train", &train, &train_path)?;
    let test_labels = match &test {
        Some((test, test_path)) => read_labels(folder, "t10k", test, test_path)?,
        None => None,
    };
    let largest = [&train_labels, &test_labels].into_iter().flatten().flatten().max();
    let classes = largest.map_or(0, |&largest| usize::from(largest) + 1);
    let table = |images: Images, labels: Option<Vec<u8>>| {
        let table = Table::new().with(Table::IMAGE, images)?;
        let Some(labels) = labels else { return Ok(table) };
        let labels = labels.into_iter().map(u32::from).collect();
        table.with(Table::LABEL, Column::numbered_classes(classes, labels))
    };
    let test = test.map(|(test, _)| table(test, test_labels)).transpose()?;
    Ok(Some((table(train, train_labels)?, test)))
}

/// The labels of `split`, one for each of its `images`, which lie at `images_path`; `None` if there
/// is no file of labels.
fn read_labels(
    folder: &Path,
    split: &str,
    images: &Images,
    images_path: &Path,
) -> Result<Option<Vec<u8>>> {
    let Some(path) = LABELS.find(folder, split) else { return Ok(None) };
    let (_, labels) = read_file(&path, LABELS)?;
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

fn check_options(folder: &Path, options: &ReadOptions, shape: ImageShape) -> Result<()> {
    let ImageShape { width, height, channels } = shape;
    let size = options.size.filter(|&size| size != (width, height));
    let given = [
        size.map(|(w, h)| ("size", format!("{w}x{h}"))),
        options.channels.filter(|&c| c != channels).map(|c| ("channels", c.to_string())),
    ];
    let Some((key, value)) = given.into_iter().flatten().next() else { return Ok(()) };
    let message = format!(
        "is for folders of PNG/JPEG images, but {} holds IDX files of {width}x{height} grey images; \
         leave it out",
        folder.display()
    );
    Err(Error::config(key, value, message))
}

fn read_images(path: &Path) -> Result<Images> {
    let (dims, pixels) = read_file(path, IMAGES)?;
    let shape = ImageShape { width: dims[2] as usize, height: dims[1] as usize, channels: 1 };
    let images = Images { shape, pixels };
    images.check().map_err(|error| Error::data(path, format!("holds {error}")))?;
    Ok(images)
}

/// Reads the dimensions and bytes of a file of that kind.
fn read_file(path: &Path, kind: Kind) -> Result<(Vec<u32>, Vec<u8>)> {
    let Kind { name, magic } = kind;
    let mut reader = open(path)?;
    // The magic number and the dimensions, each a big-endian u32.
    let size = 4 * (1 + kind.dimensions());
    let header = read_at_most(&mut reader, size as u64, path)?;
    let (fields, _) = header.as_chunks::<4>();
    let fields: Vec<u32> = fields.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();
    check_magic(path, kind, fields.first().copied().unwrap_or(magic))?;
    if header.len() < size {
        return Err(Error::data(
            path,
            format!(
                "is truncated: {} bytes, where the header alone takes {size}; download it again",
                header.len()
            ),
        ));
    }
    let dims = fields[1..].to_vec();
    let declares = match dims[..] {
        [count, height, width] => format!("{count} {name} of {width}x{height}"),
        _ => format!("{} {name}", dims[0]),
    };
    if dims.contains(&0) {
        return Err(Error::data(path, format!("declares {declares}, so holds none; replace it")));
    }

    // The product of three u32 fits in a u128. The buffer grows with the file's actual contents,
    // and reading stops one byte past the declared end, so that the gzip decoder verifies its
    // checksum.
    let declared: u128 = dims.iter().map(|&side| u128::from(side)).product();
    let limit = u64::try_from(declared).unwrap_or(u64::MAX).saturating_add(1);
    let bytes = read_at_most(&mut reader, limit, path)?;
    let found = bytes.len() as u128;
    if found != declared {
        let fault = if found < declared { "is truncated" } else { "has extra bytes at its end" };
        let found = if found < declared { found.to_string() } else { "more".into() };
        return Err(Error::data(
            path,
            format!(
                "{fault}: its header declares {declares}, {declared} bytes, but {found} follow; \
                 download it again"
            ),
        ));
    }
    Ok((dims, bytes))
}

/// Fails if a file that should be of `kind` begins with another's `magic`.
fn check_magic(path: &Path, kind: Kind, magic: u32) -> Result<()> {
    if magic == kind.magic {
        return Ok(());
    }
    let (name, wanted) = (kind.name, kind.magic);
    Err(Error::data(
        path,
        match [IMAGES, LABELS].into_iter().find(|other| other.magic == magic) {
            Some(other) => format!(
                "holds {} (magic 0x{magic:08x}) under the name of a file of {name}; put the {name} file \
                 (magic 0x{wanted:08x}) in its place",
                other.name
            ),
            None => format!(
                "is no IDX file of {name}: its magic is 0x{magic:08x}, not 0x{wanted:08x}; \
                 download it again"
            ),
        },
    ))
}

/// Opens `path`, through gzip if its first bytes say so: some downloads keep the name `.gz`
/// though they were unpacked, or lose it though they were not.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let start = read_at_most(&mut file, 2, path)?;
    file.rewind().map_err(Error::io("read", path))?;
    let file = BufReader::new(file);
    Ok(if start == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

fn read_at_most(reader: &mut impl Read, limit: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        // Only the gzip decoder returns these errors, not a plain file.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData
            ) =>
        {
            Err(Error::data(path, format!("is truncated or corrupt ({error}); download it again")))
        }
        Err(error) => Err(Error::io("read", path)(error)),
    }
}
