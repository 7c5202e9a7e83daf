//! Columns of a table: pixels, numbers or a class in each row.

use std::borrow::Cow;
use std::fmt;

use super::{ImageShape, Images};

/// One column of a [`super::Table`]: the values of all rows, one row after the other.
///
/// Columns are not checked before [`super::Table::with`] takes them, whose errors name them.
/// Borrowed values are copied; a `Vec` is moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// An image in each row.
    Images(Images),
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
    pub(super) fn rows(&self) -> Result<usize, String> {
        match self {
            Self::Images(images) => {
                images.check().map_err(|error| error.to_string())?;
                Ok(images.len())
            }
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

    /// Descriptions of this column and of `other` in what they differ, if rows of one are not valid
    /// rows of the other: their kinds, shapes or classes; otherwise `None`.
    pub(super) fn difference(&self, other: &Self) -> Option<[String; 2]> {
        let same = match (self, other) {
            (Self::Images(a), Self::Images(b)) => a.shape == b.shape,
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
            Self::Floats { shape, .. } => write!(f, "floats of shape {shape:?}"),
            Self::Classes { names, .. } => write!(f, "{} classes", names.len()),
            Self::Counts { shape, .. } => write!(f, "counts of shape {shape:?}"),
        }
    }
}

/// The number of rows of `shape` in `found` values.
fn rows_of(shape: &[usize], found: usize, what: &str) -> Result<usize, String> {
    let each = shape.iter().try_fold(1usize, |each, &side| each.checked_mul(side));
    match each {
        Some(each) if each > 0 && found.is_multiple_of(each) => Ok(found / each),
        Some(each) if each > 0 => Err(format!(
            "{found} {what} are no whole number of rows of shape {shape:?}, which take {each} each"
        )),
        _ => Err(format!("{what} of shape {shape:?}: no such shape can be")),
    }
}

fn check_classes(names: &[String], indices: &[u32]) -> Result<(), String> {
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
