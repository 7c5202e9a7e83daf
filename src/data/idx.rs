//! IDX files as MNIST ships them: the `train` and `t10k` images, gzipped or not.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{ImageShape, Images, ReadOptions, Splits, Table};
use crate::error::{Error, Result};

/// What follows `train` or `t10k` in a file's name, in order of preference: an unpacked file is
/// read before the archive it came from.
const ENDINGS: [&str; 4] =
    ["-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx3-ubyte.gz", "-images.idx3-ubyte.gz"];

/// Unsigned bytes in three dimensions: images.
const IMAGES_MAGIC: u32 = 0x0803;
/// Unsigned bytes in one dimension: labels.
const LABELS_MAGIC: u32 = 0x0801;
/// The magic number and three dimensions, each a big-endian `u32`.
const HEADER: usize = 16;

/// Reads the splits of `folder`; `None` if it holds no IDX file of images.
pub(super) fn read(folder: &Path, options: &ReadOptions) -> Result<Option<Splits>> {
    let table = |images: Images| Table::new().with(Table::IMAGE, images);
    let (train_path, test_path) = match (find(folder, "train"), find(folder, "t10k")) {
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
    let train = read_file(&train_path)?;
    check_options(folder, options, train.shape)?;
    let Some(test_path) = test_path else { return Ok(Some((table(train)?, None))) };
    let test = read_file(&test_path)?;
    if test.shape != train.shape {
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
    Ok(Some((table(train)?, Some(table(test)?))))
}

fn find(folder: &Path, split: &str) -> Option<PathBuf> {
    ENDINGS.iter().map(|ending| folder.join(format!("{split}{ending}"))).find(|path| path.is_file())
}

fn check_options(folder: &Path, options: &ReadOptions, shape: ImageShape) -> Result<()> {
    let ImageShape { width, height, channels } = shape;
    let size = options.size.filter(|&size| size != (width, height));
    let flags = [
        size.map(|(w, h)| format!("--size {w}x{h}")),
        options.channels.filter(|&c| c != channels).map(|c| format!("--channels {c}")),
    ];
    match flags.into_iter().flatten().next() {
        None => Ok(()),
        Some(flag) => Err(Error::Usage(format!(
            "{flag}: is for folders of PNG/JPEG images, but {} holds IDX files of {width}x{height} \
             grey images; leave the flag out",
            folder.display()
        ))),
    }
}

fn read_file(path: &Path) -> Result<Images> {
    let mut reader = open(path)?;
    let header = read_at_most(&mut reader, HEADER as u64, path)?;
    let field = |i: usize| {
        let bytes = header.get(4 * i..4 * i + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("four bytes")))
    };
    match field(0) {
        None | Some(IMAGES_MAGIC) => {}
        Some(LABELS_MAGIC) => {
            return Err(Error::data(
                path,
                "holds labels (magic 0x00000801) under the name of an images file; put the images \
                 file (magic 0x00000803) in its place",
            ));
        }
        Some(magic) => {
            return Err(Error::data(
                path,
                format!(
                    "is no IDX file of images: its magic is 0x{magic:08x}, not 0x00000803; \
                     download it again"
                ),
            ));
        }
    }
    let (Some(count), Some(height), Some(width)) = (field(1), field(2), field(3)) else {
        return Err(Error::data(
            path,
            format!(
                "is truncated: {} bytes, where the header alone takes {HEADER}; download it again",
                header.len()
            ),
        ));
    };
    if count == 0 || height == 0 || width == 0 {
        return Err(Error::data(
            path,
            format!("declares {count} images of {width}x{height}, so holds none; replace it"),
        ));
    }

    // Three u32 cannot overflow a u128. The buffer grows with what the file really holds, and
    // stops one byte past the declared end, which also has gzip check its own checksum.
    let declared = u128::from(count) * u128::from(height) * u128::from(width);
    let limit = u64::try_from(declared).unwrap_or(u64::MAX).saturating_add(1);
    let pixels = read_at_most(&mut reader, limit, path)?;
    let found = pixels.len() as u128;
    if found != declared {
        let fault = if found < declared { "is truncated" } else { "has extra bytes at its end" };
        let found = if found < declared { found.to_string() } else { "more".into() };
        return Err(Error::data(
            path,
            format!(
                "{fault}: its header declares {count} images of {width}x{height}, {declared} \
                 bytes, but {found} follow; download it again"
            ),
        ));
    }
    let shape = ImageShape { width: width as usize, height: height as usize, channels: 1 };
    let images = Images { shape, pixels };
    images.check().map_err(|error| Error::data(path, format!("holds {error}")))?;
    Ok(images)
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
        // A plain file gives none of these: they are the gzip decoder's.
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
