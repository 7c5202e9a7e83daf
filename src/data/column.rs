//! Columns of a table: pixels, numbers or a class in each row.

use std::borrow::Cow;
use std::fmt;

use super::packed::BLOCK;
use super::{ImageShape, Images, PackedImages};
use crate::error::Result;
use crate::words::counted;

/// One column of a [`super::Table`]: the values of all rows, one row after the other.
///
/// Columns are not checked before [`super::Table::with`] takes them, whose errors name them.
/// Borrowed values are copied; a `Vec` is moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// An image in each row.
    Images(Images),
    /// An image in each row, in a file from which it is read when it is used.
    Packed(PackedImages),
    /// Real numbers in each row.
    Floats {
        /// Shape of a row's values; empty for a single number.
        shape: Vec<usize>,
        /// Values (rows, ...shape), row-major. NaN and infinity are kept as they are.
        values: Vec<f32>,
    },
    /// One of several classes in each row.
    Classes {
        /// Names of the classes; no two are equal.
        names: Vec<String>,
        /// Each row's class as its index in `names`.
        indices: Vec<u32>,
    },
    /// Counts of occurrences in each row, such as of each word of a vocabulary.
    Counts {
        /// Shape of a row's counts; empty for a single count.
        shape: Vec<usize>,
        /// Counts (rows, ...shape), row-major.
        values: Vec<u32>,
    },
}

impl Column {
    /// Images of `shape`, which may be written `[channels, height, width]`, from the `pixels` of
    /// all rows: (rows, channels, height, width), 0 to 255 standing for 0 to 1.
    pub fn images<'a>(shape: impl Into<ImageShape>, pixels: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Images(Images { shape: shape.into(), pixels: pixels.into().into_owned() })
    }

    /// Real numbers, (rows, ...shape); with the shape `&[]`, one number a row.
    pub fn floats<'a>(shape: &[usize], values: impl Into<Cow<'a, [f32]>>) -> Self {
        Self::Floats { shape: shape.to_vec(), values: values.into().into_owned() }
    }

    /// A class in each row, as its index in `names`.
    pub fn classes<'a>(
        names: impl IntoIterator<Item = impl Into<String>>,
        indices: impl Into<Cow<'a, [u32]>>,
    ) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self::Classes { names, indices: indices.into().into_owned() }
    }

    /// Counts, (rows, ...shape); with the shape `&[]`, one count a row.
    pub fn counts<'a>(shape: &[usize], values: impl Into<Cow<'a, [u32]>>) -> Self {
        Self::Counts { shape: shape.to_vec(), values: values.into().into_owned() }
    }

    /// Classes whose names are the numbers from 0.
    pub(super) fn numbered_classes(count: usize, indices: Vec<u32>) -> Self {
        Self::classes((0..count).map(|class| class.to_string()), indices)
    }

    /// The number of rows, or the end of an error message, after the column's name, if the values
    /// do not form a column.
    pub(super) fn rows(&self) -> std::result::Result<usize, String> {
        match self {
            Self::Images(images) => {
                images.check().map_err(|error| error.to_string())?;
                Ok(images.len())
            }
            Self::Packed(images) => Ok(images.len()),
            Self::Floats { shape, values } => rows_of(shape, values.len(), "floats"),
            Self::Counts { shape, values } => rows_of(shape, values.len(), "counts"),
            Self::Classes { names, indices } => {
                check_classes(names, indices)?;
                Ok(indices.len())
            }
        }
    }

    /// The rows at `rows`, in that order. Panics if one is past the end.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Images(images) => Self::Images(images.select(rows)),
            Self::Packed(images) => Self::Packed(images.select(rows)),
            Self::Floats { shape, values } => {
                Self::Floats { shape: shape.clone(), values: pick(shape, values, rows) }
            }
            Self::Classes { names, indices } => {
                Self::Classes { names: names.clone(), indices: pick(&[], indices, rows) }
            }
            Self::Counts { shape, values } => {
                Self::Counts { shape: shape.clone(), values: pick(shape, values, rows) }
            }
        }
    }

    /// Shape of the images, if there is one in each row.
    pub(crate) fn image_shape(&self) -> Option<ImageShape> {
        match self {
            Self::Images(images) => Some(images.shape),
            Self::Packed(images) => Some(images.shape()),
            _ => None,
        }
    }

    /// Bytes of a row: one for each value of an image, four for a number or a class.
    pub(crate) fn row_bytes(&self) -> usize {
        match self {
            Self::Images(Images { shape, .. }) => shape.pixels(),
            Self::Packed(images) => images.shape().pixels(),
            Self::Floats { shape, .. } | Self::Counts { shape, .. } => {
                4 * shape.iter().product::<usize>()
            }
            Self::Classes { .. } => 4,
        }
    }

    /// Appends the bytes of the rows at `rows`, in that order.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] naming the file in which they lie when it cannot be read.
    pub(crate) fn append_rows(&self, rows: &[usize], bytes: &mut Vec<u8>) -> Result<()> {
        let all: &[u8] = match self {
            Self::Packed(images) => return images.append(rows, bytes),
            Self::Images(images) => &images.pixels,
            Self::Floats { values, .. } => bytemuck::cast_slice(values),
            Self::Classes { indices: values, .. } | Self::Counts { values, .. } => {
                bytemuck::cast_slice(values)
            }
        };
        let size = self.row_bytes();
        rows.iter().for_each(|row| bytes.extend_from_slice(&all[row * size..][..size]));
        Ok(())
    }

    /// Calls `take` with the bytes of the rows in `rows`, a block of whole rows at a time, with the
    /// first row of each block. All blocks but the last have a multiple of `align` rows.
    ///
    /// # Errors
    ///
    /// The same as [`Column::append_rows`], and what `take` fails with.
    pub(crate) fn for_blocks(
        &self,
        rows: std::ops::Range<usize>,
        align: usize,
        mut take: impl FnMut(usize, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let most = (BLOCK / self.row_bytes().max(1)).max(1).next_multiple_of(align);
        let mut bytes = Vec::new();
        for first in rows.clone().step_by(most) {
            bytes.clear();
            let block: Vec<usize> = (first..rows.end.min(first + most)).collect();
            self.append_rows(&block, &mut bytes)?;
            take(first, &mut bytes)?;
        }
        Ok(())
    }

    /// The CRC-32 of the bytes of all rows, one after the other.
    ///
    /// # Errors
    ///
    /// The same as [`Column::append_rows`].
    pub(crate) fn checksum(&self, rows: usize) -> Result<crc32fast::Hasher> {
        if let Self::Packed(images) = self
            && let Some(known) = images.known_checksum()
        {
            let bytes = rows as u64 * self.row_bytes() as u64;
            return Ok(crc32fast::Hasher::new_with_initial_len(known, bytes));
        }
        let mut hasher = crc32fast::Hasher::new();
        self.for_blocks(0..rows, 1, |_, bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        Ok(hasher)
    }

    /// Descriptions of this column and of `other` in what they differ, if rows of one are not valid
    /// rows of the other: their kinds, shapes or classes; otherwise `None`.
    pub(super) fn difference(&self, other: &Self) -> Option<[String; 2]> {
        let image = |column: &Self| column.image_shape();
        let same = match (self, other) {
            (Self::Images(_) | Self::Packed(_), Self::Images(_) | Self::Packed(_)) => {
                image(self) == image(other)
            }
            (Self::Floats { shape: a, .. }, Self::Floats { shape: b, .. })
            | (Self::Counts { shape: a, .. }, Self::Counts { shape: b, .. }) => a == b,
            (Self::Classes { names: a, .. }, Self::Classes { names: b, .. })
                if a.len() == b.len() =>
            {
                let class = a.iter().zip(b).position(|(a, b)| a != b)?;
                return Some([a, b].map(|names| format!("{:?} as class {class}", names[class])));
            }
            _ => false,
        };
        (!same).then(|| [self, other].map(Self::to_string))
    }
}

impl From<Images> for Column {
    fn from(images: Images) -> Self {
        Self::Images(images)
    }
}

/// A column's contents in a few words: `images of 28x28x1`, `floats of shape [3]`, `10 classes`.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images(images) => write!(f, "images of {}", images.shape),
            Self::Packed(images) => write!(f, "images of {}", images.shape()),
            Self::Floats { shape, .. } => write!(f, "floats of shape {shape:?}"),
            Self::Classes { names, .. } => f.write_str(&counted(names.len(), "class")),
            Self::Counts { shape, .. } => write!(f, "counts of shape {shape:?}"),
        }
    }
}

/// The number of rows of `shape` in `found` values.
fn rows_of(shape: &[usize], found: usize, what: &str) -> std::result::Result<usize, String> {
    let each = shape.iter().try_fold(1usize, |each, &side| each.checked_mul(side));
    match each {
        Some(each) if each > 0 && found.is_multiple_of(each) => Ok(found / each),
        Some(each) if each > 0 => Err(format!(
            "{found} {what} are no whole number of rows of shape {shape:?}, which take {each} each"
        )),
        _ => Err(format!("{what} of shape {shape:?}: no such shape can be")),
    }
}

fn check_classes(names: &[String], indices: &[u32]) -> std::result::Result<(), String> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two classes are called {:?}", twice[0]));
    }
    match indices.iter().position(|&index| index as usize >= names.len()) {
        None => Ok(()),
        Some(row) => Err(format!(
            "row {row} is of class {}, but there are names for {} classes only, from 0 on",
            indices[row],
            names.len()
        )),
    }
}

/// The values of `rows`.
fn pick<T: Copy>(shape: &[usize], values: &[T], rows: &[usize]) -> Vec<T> {
    let each: usize = shape.iter().product();
    rows.iter().flat_map(|row| &values[row * each..(row + 1) * each]).copied().collect()
}
