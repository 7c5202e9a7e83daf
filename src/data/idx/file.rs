//! The contents of one IDX file, packed by gzip or not.

use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::data::pack::Sink;
use crate::error::{Error, Result};

/// One of the two kinds of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Images,
    Labels,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// What can be read as this kind, for messages.
    fn wanted(self) -> &'static str {
        match self {
            Self::Images => "images are unsigned bytes of 3 dimensions (count, height, width)",
            Self::Labels => "labels are unsigned bytes or integers of 1 dimension",
        }
    }
}

/// A type of the values, by its code in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Type {
    code: u8,
    name: &'static str,
    bytes: usize,
}

/// The types that the format has.
const TYPES: [Type; 6] = [
    Type { code: 0x08, name: "unsigned bytes", bytes: 1 },
    Type { code: 0x09, name: "signed bytes", bytes: 1 },
    Type { code: 0x0b, name: "16-bit integers", bytes: 2 },
    Type { code: 0x0c, name: "32-bit integers", bytes: 4 },
    Type { code: 0x0d, name: "32-bit floats", bytes: 4 },
    Type { code: 0x0e, name: "64-bit floats", bytes: 8 },
];

/// What the header of a file says.
struct Header {
    values: Type,
    dims: Vec<u32>,
}

impl Header {
    /// The shape, as in `60000x28x28`.
    fn shape(&self) -> String {
        self.dims.iter().map(u32::to_string).collect::<Vec<_>>().join("x")
    }

    /// Whether its values can be taken as being of `kind`.
    fn is(&self, kind: Kind) -> bool {
        match (kind, self.values.code, self.dims.len()) {
            (Kind::Images, 0x08, 3) | (Kind::Labels, 0x08 | 0x0b | 0x0c, 1) => true,
            // QMNIST's eight integers for each digit, the first of which is its class.
            (Kind::Labels, 0x0c, 2) => self.dims[1] == 8,
            _ => false,
        }
    }
}

/// Bytes of a file of images before the first one.
pub(super) const OFFSET: u64 = 16;

/// The dimensions (count, height, width) that the file of images at `path` declares, and whether its
/// values are packed by gzip; if they are not, there are as many as it declares.
pub(super) fn declared(path: &Path) -> Result<([usize; 3], bool)> {
    let contents = Contents::open(path, Kind::Images)?;
    let mut file = crate::files::open(path).map_err(Error::io("read", path))?;
    let is_packed = read_at_most(&mut file, 2, path)? == GZIP;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let found = u128::from(length.saturating_sub(OFFSET));
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
    let (header, bytes) = read(path, Kind::Labels)?;
    let each = bytes.len() / header.dims[0] as usize;
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
    reader: Box<dyn Read>,
    /// Bytes of values that have been read.
    found: u128,
}

impl<'a> Contents<'a> {
    fn open(path: &'a Path, kind: Kind) -> Result<Self> {
        let mut reader = open(path)?;
        let header = read_header(path, kind, &mut reader)?;
        let contents = Self { path, kind, header, reader, found: 0 };
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
        let copied = std::io::copy(&mut self.reader.by_ref().take(wanted), to);
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
        let rest = read_at_most(&mut self.reader, 1, self.path)?;
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

/// Reads the header and the bytes of a file of that kind.
fn read(path: &Path, kind: Kind) -> Result<(Header, Vec<u8>)> {
    let mut contents = Contents::open(path, kind)?;
    let mut bytes = Vec::new();
    // The buffer grows with the file's actual contents.
    let declared = u64::try_from(contents.declared()).unwrap_or(u64::MAX);
    contents.take(&mut bytes, declared)?;
    let header = Header { values: contents.header.values, dims: contents.header.dims.clone() };
    contents.finish()?;
    Ok((header, bytes))
}

/// Reads the header of a file of that kind: two zeros, the type of the values, the number of
/// dimensions, and each of these as a big-endian u32.
fn read_header(path: &Path, kind: Kind, reader: &mut impl Read) -> Result<Header> {
    let magic = read_at_most(reader, 4, path)?;
    let truncated = |found: usize, takes: usize| {
        let message = format!(
            "is truncated: {found} bytes, where the header alone takes {takes}; download it again"
        );
        Err(Error::data(path, message))
    };
    let [zero, other, code, dimensions] = magic[..] else {
        return truncated(magic.len(), if kind == Kind::Images { 16 } else { 8 });
    };
    let values = TYPES.into_iter().find(|t| t.code == code && (zero, other) == (0, 0));
    let Some(values) = values.filter(|_| dimensions > 0) else {
        let magic = u32::from_be_bytes([zero, other, code, dimensions]);
        return Err(Error::data(
            path,
            format!(
                "is no IDX file of {}: it begins with 0x{magic:08x}, which no IDX file does; \
                 download it again",
                kind.name()
            ),
        ));
    };
    let bytes = read_at_most(reader, 4 * u64::from(dimensions), path)?;
    let (dims, _) = bytes.as_chunks::<4>();
    let header =
        Header { values, dims: dims.iter().map(|&side| u32::from_be_bytes(side)).collect() };
    let whole = dims.len() == usize::from(dimensions);
    if whole && header.is(kind) {
        return Ok(header);
    }
    let plain = Header { values, dims: vec![8; dimensions.into()] };
    if !whole && plain.is(kind) {
        return truncated(4 + bytes.len(), 4 + 4 * usize::from(dimensions));
    }
    let (name, wanted) = (kind.name(), kind.wanted());
    let is_plain =
        |kind| kind == Kind::Images && dimensions == 3 || kind == Kind::Labels && dimensions == 1;
    let other =
        [Kind::Images, Kind::Labels].into_iter().find(|&other| other != kind && is_plain(other));
    Err(Error::data(
        path,
        match other.filter(|_| code == 0x08) {
            Some(other) => format!(
                "holds {} under the name of a file of {name}; put the {name} in its place",
                other.name()
            ),
            None => format!(
                "holds {}, {}; {wanted}: convert it",
                values.name,
                match (dimensions, whole && dimensions <= 8) {
                    (1, true) => format!("1 dimension ({})", header.shape()),
                    (_, true) => format!("{dimensions} dimensions ({})", header.shape()),
                    (_, false) => format!("{dimensions} dimensions"),
                }
            ),
        },
    ))
}

/// The first bytes of what gzip packed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens `path`, through gzip if its first bytes say so: some downloads keep the name `.gz`
/// though they were unpacked, or lose it though they were not.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut file = crate::files::open(path).map_err(Error::io("read", path))?;
    let start = read_at_most(&mut file, 2, path)?;
    file.rewind().map_err(Error::io("read", path))?;
    let file = BufReader::new(file);
    Ok(if start == GZIP { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

fn read_at_most(reader: &mut impl Read, limit: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match reader.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, error)),
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        // Only the gzip decoder returns these errors, not a plain file.
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            Error::data(path, format!("is truncated or corrupt ({error}); download it again"))
        }
        _ => Error::io("read", path)(error),
    }
}
