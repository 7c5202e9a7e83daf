//! What goes from layer to layer.

use std::fmt::{Display, Formatter};

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
