//! What an IDX file says of its contents.

use std::io::Read;
use std::path::Path;

use super::open::read_at_most;
use crate::error::{Error, Result};

/// One of the two kinds of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
pub struct Type {
    code: u8,
    name: &'static str,
    pub bytes: usize,
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
pub struct Header {
    pub values: Type,
    pub dims: Vec<u32>,
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
    /// Reads the header of the file at `path`, which is to be of that `kind`: two zeros, the type of the
    /// values, the number of dimensions, and each of these as a big-endian u32.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] naming the file, and what it holds instead.
    pub fn read(path: &Path, kind: Kind, reader: &mut impl Read) -> Result<Self> {
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
        let is_plain = |kind| {
            kind == Kind::Images && dimensions == 3 || kind == Kind::Labels && dimensions == 1
        };
        let other = [Kind::Images, Kind::Labels]
            .into_iter()
            .find(|&other| other != kind && is_plain(other));
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
}
