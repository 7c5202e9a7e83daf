//! The contents of one IDX file, packed by gzip or not.

use std::io::Read;
use std::path::Path;

use super::header::{Header, Kind};
use super::open::{Opened, open, read_at_most, unreadable};
use crate::data::pack::Sink;
use crate::error::{Error, Result};

/// Bytes of a file of images before the first one.
pub(super) const OFFSET: u64 = 16;

/// The dimensions (count, height, width) that the file of images at `path` declares, and whether its
/// values are packed by gzip; if they are not, there are as many as it declares.
pub(super) fn declared(path: &Path) -> Result<([usize; 3], bool)> {
    let contents = Contents::open(path, Kind::Images)?;
    let Opened { is_packed, bytes, .. } = contents.file;
    let found = u128::from(bytes.saturating_sub(OFFSET));
    if !is_packed && found < contents.declared() {
        return Err(contents.mismatch("is truncated", &found.to_string()));
    }
    if !is_packed && found > contents.declared() {
        return Err(contents.mismatch("has extra bytes at its end", "more"));
    }
    let dims: Vec<usize> = contents.header.dims.iter().map(|&side| side as usize).collect();
    Ok((dims.try_into().expect("images have three dimensions"), is_packed))
}

/// Reads the images at `path` into `sink`.
pub(super) fn images(path: &Path, sink: &mut Sink) -> Result<()> {
    let mut contents = Contents::open(path, Kind::Images)?;
    let (count, size) = (contents.header.dims[0] as usize, contents.row_bytes());
    let mut read = 0;
    while read < count {
        let block = sink.block(count - read);
        sink.fill(block, |pixels| {
            contents.take(&mut &mut *pixels, (block * size) as u64)?;
            Ok(block)
        })?;
        read += block;
    }
    contents.finish()
}

/// Fails unless the file of images at `path` has as many values as it declares.
pub(super) fn check_whole(path: &Path) -> Result<()> {
    let mut contents = Contents::open(path, Kind::Images)?;
    let declared = u64::try_from(contents.declared()).unwrap_or(u64::MAX);
    contents.take(&mut std::io::sink(), declared)?;
    contents.finish()
}

/// The most classes that labels can number.
const CLASSES: i64 = 1 << 16;

/// Reads the labels at `path`.
pub(super) fn labels(path: &Path) -> Result<Vec<u32>> {
    let mut contents = Contents::open(path, Kind::Labels)?;
    let (each, declared) = (contents.row_bytes(), contents.declared());
    let mut bytes = Vec::new();
    // The buffer grows with the file's actual contents.
    contents.take(&mut bytes, u64::try_from(declared).unwrap_or(u64::MAX))?;
    contents.finish()?;
    let class = |row: &[u8]| match *row {
        [label] => i64::from(label),
        [high, low] => i64::from(i16::from_be_bytes([high, low])),
        [a, b, c, d, ..] => i64::from(i32::from_be_bytes([a, b, c, d])),
        _ => unreachable!("labels are of one, two or more bytes"),
    };
    let classes = bytes.chunks_exact(each).map(class);
    let checked = |class: i64| match (0..CLASSES).contains(&class) {
        true => Ok(class as u32),
        false => Err(Error::data(
            path,
            format!("holds the label {class}; labels number classes from 0 to {}", CLASSES - 1),
        )),
    };
    classes.map(checked).collect()
}

/// A file of that kind, whose header has been read.
struct Contents<'a> {
    path: &'a Path,
    kind: Kind,
    header: Header,
    file: Opened,
    /// Bytes of values that have been read.
    found: u128,
}

impl<'a> Contents<'a> {
    fn open(path: &'a Path, kind: Kind) -> Result<Self> {
        let mut file = open(path)?;
        let header = Header::read(path, kind, &mut file.reader)?;
        let contents = Self { path, kind, header, file, found: 0 };
        if contents.header.dims.contains(&0) {
            let declares = contents.declares();
            let message = format!("declares {declares}, so holds none; replace it");
            return Err(Error::data(path, message));
        }
        Ok(contents)
    }

    /// What the header declares, in words.
    fn declares(&self) -> String {
        let name = self.kind.name();
        match self.header.dims[..] {
            [count, height, width] => format!("{count} {name} of {width}x{height}"),
            _ => format!("{} {name}", self.header.dims[0]),
        }
    }

    /// Bytes of a row's values.
    fn row_bytes(&self) -> usize {
        let sides = self.header.dims[1..].iter().map(|&side| side as usize);
        sides.product::<usize>() * self.header.values.bytes
    }

    /// Bytes that all values take.
    fn declared(&self) -> u128 {
        // The product of three u32 and eight fits in a u128.
        let sides = self.header.dims.iter().map(|&side| u128::from(side));
        sides.product::<u128>() * self.header.values.bytes as u128
    }

    /// Writes the next `wanted` bytes to `to`.
    fn take(&mut self, to: &mut impl std::io::Write, wanted: u64) -> Result<()> {
        let copied = std::io::copy(&mut self.file.reader.by_ref().take(wanted), to);
        let copied = copied.map_err(|error| unreadable(self.path, error))?;
        self.found += u128::from(copied);
        if copied < wanted {
            let found = self.found.to_string();
            return Err(self.mismatch("is truncated", &found));
        }
        Ok(())
    }

    /// Fails unless the file ends here; the gzip decoder verifies its checksum by that.
    fn finish(mut self) -> Result<()> {
        let rest = read_at_most(&mut self.file.reader, 1, self.path)?;
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.mismatch("has extra bytes at its end", "more"))
    }

    fn mismatch(&self, fault: &str, found: &str) -> Error {
        let message = format!(
            "{fault}: its header declares {}, {} bytes, but {found} follow; download it again",
            self.declares(),
            self.declared()
        );
        Error::data(self.path, message)
    }
}
