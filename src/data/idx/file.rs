//! The contents of one IDX file, packed by gzip or not.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

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

/// Reads the images at `path`: the dimensions (count, height, width), and the bytes.
pub(super) fn images(path: &Path) -> Result<([usize; 3], Vec<u8>)> {
    let (header, pixels) = read(path, Kind::Images)?;
    let dims: Vec<usize> = header.dims.iter().map(|&side| side as usize).collect();
    Ok((dims.try_into().expect("images have three dimensions"), pixels))
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

/// Reads the header and the bytes of a file of that kind.
fn read(path: &Path, kind: Kind) -> Result<(Header, Vec<u8>)> {
    let mut reader = open(path)?;
    let header = read_header(path, kind, &mut reader)?;
    let name = kind.name();
    let declares = match header.dims[..] {
        [count, height, width] => format!("{count} {name} of {width}x{height}"),
        _ => format!("{} {name}", header.dims[0]),
    };
    if header.dims.contains(&0) {
        return Err(Error::data(path, format!("declares {declares}, so holds none; replace it")));
    }
    // The product of three u32 and eight fits in a u128. The buffer grows with the file's actual
    // contents, and reading stops one byte past the declared end, so that the gzip decoder verifies
    // its checksum.
    let sides = header.dims.iter().map(|&side| u128::from(side));
    let declared = sides.product::<u128>() * header.values.bytes as u128;
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
