//! Shapes of the values between layers.

use std::fmt::{Display, Formatter};

use crate::data::ImageShape;
use crate::gpu::{Recording, Tensor, padded};
use crate::ops::Extent;

/// The shape of one image's values between two layers.
///
/// A batch of features is a matrix (batch, values). A batch of maps is a matrix
/// (batch · height · width, channels): channels last, which a convolution reads four at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A row of values.
    Features(usize),
    /// Feature maps; an image is one as well.
    Map {
        /// Values at a place.
        channels: usize,
        /// Rows and columns.
        extent: Extent,
    },
}

/// Values that an image may have between two layers: more would not fit 32-bit indices.
const MOST: usize = 1 << 30;

impl Shape {
    /// Maps of `channels`.
    pub fn map(channels: usize, height: usize, width: usize) -> Self {
        Self::Map { channels, extent: Extent { height, width } }
    }

    /// The same values as a row of features.
    pub fn flat(self) -> Self {
        Self::Features(self.values())
    }

    /// The same with so many more columns: features, or channels.
    pub(crate) fn wider(self, columns: usize) -> Self {
        match self {
            Self::Features(count) => Self::Features(count + columns),
            Self::Map { channels, extent } => Self::Map { channels: channels + columns, extent },
        }
    }

    /// Values for each image.
    pub fn values(&self) -> usize {
        match self {
            Self::Features(count) => *count,
            Self::Map { channels, extent } => channels * extent.height * extent.width,
        }
    }

    /// Values in a row of the matrix of a batch: features, or channels.
    pub fn columns(&self) -> usize {
        match self {
            Self::Features(count) => *count,
            Self::Map { channels, .. } => *channels,
        }
    }

    /// Rows that an image has in it.
    pub fn rows(&self) -> usize {
        match self {
            Self::Features(_) => 1,
            Self::Map { extent, .. } => extent.height * extent.width,
        }
    }

    /// Values of several images in PyTorch's order, (channel, row, column), as they lie on the adapter,
    /// without padding: maps have their channels last there.
    pub(crate) fn channels_last(self, values: Vec<f32>) -> Vec<f32> {
        let Self::Map { channels, .. } = self else { return values };
        let places = self.rows();
        let image = |image: &[f32]| -> Vec<f32> {
            let place = |place: usize| image[place..].iter().step_by(places).copied();
            (0..places).flat_map(place).collect()
        };
        values.chunks(channels * places).flat_map(image).collect()
    }

    /// The inverse of [`Shape::channels_last`].
    pub(crate) fn channels_first(self, values: &[f32]) -> Vec<f32> {
        let Self::Map { channels, .. } = self else { return values.to_vec() };
        let image = |image: &[f32]| -> Vec<f32> {
            let plane = |c: usize| image[c..].iter().step_by(channels).copied();
            (0..channels).flat_map(plane).collect()
        };
        values.chunks(self.values()).flat_map(image).collect()
    }

    /// A tensor of `plan` for a batch.
    pub fn tensor(&self, plan: &Recording, batch: usize) -> Tensor {
        plan.matrix(&[batch * self.rows(), self.columns()])
    }

    /// Bytes of an image in it.
    pub fn bytes(&self) -> u64 {
        4 * (self.rows() * padded(self.columns())) as u64
    }

    /// Whether it is more than nothing and within what indices can reach.
    pub(super) fn is_possible(&self) -> bool {
        let sizes = match self {
            Self::Features(count) => [*count, 1, 1],
            Self::Map { channels, extent } => [*channels, extent.height, extent.width],
        };
        let product = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        sizes.iter().all(|size| *size > 0) && product.is_some_and(|product| product <= MOST)
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Features(count) => write!(f, "{count}"),
            Self::Map { channels, extent } => {
                write!(f, "{channels}x{}x{}", extent.height, extent.width)
            }
        }
    }
}

/// Maps as the images of a dataset are.
impl From<ImageShape> for Shape {
    fn from(ImageShape { width, height, channels }: ImageShape) -> Self {
        Self::map(channels, height, width)
    }
}
