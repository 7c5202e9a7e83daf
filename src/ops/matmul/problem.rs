//! What is tuned: the products of a layer.

use std::fmt::{Display, Formatter};

use super::{Product, Variant, chosen};
use crate::gpu::{Choices, Gpu};
use crate::ops::conv::Geometry;

/// A layer whose products are to be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Fully connected.
    Dense {
        /// Values that go in.
        inputs: usize,
        /// Values that come out.
        outputs: usize,
    },
    /// A convolution.
    Conv(Channels),
    /// A transposed convolution.
    ConvTranspose(Channels),
}

/// The maps of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Their pixels.
    pub geometry: Geometry,
    /// Channels of the smaller: a convolution's outputs.
    pub small: usize,
    /// And of the larger: a convolution's inputs.
    pub large: usize,
}

impl Problem {
    /// A fully connected layer.
    pub fn dense(inputs: usize, outputs: usize) -> Self {
        Self::Dense { inputs, outputs }
    }

    /// A convolution.
    pub fn conv(geometry: Geometry, inputs: usize, outputs: usize) -> Self {
        Self::Conv(Channels { geometry, small: outputs, large: inputs })
    }

    /// A transposed convolution.
    pub fn conv_transpose(geometry: Geometry, inputs: usize, outputs: usize) -> Self {
        Self::ConvTranspose(Channels { geometry, small: inputs, large: outputs })
    }

    /// The name of one of its products in [`Choices`], whatever the batch.
    pub fn key(&self, product: Product) -> String {
        let form = match (self, product) {
            (Self::Dense { inputs, outputs }, _) => return product.problem(*inputs, *outputs),
            // Both have the same.
            (_, Product::BackwardWeight) => "conv.backward_weight",
            (Self::Conv(_), Product::Forward) => "conv.forward",
            (Self::Conv(_), Product::BackwardInput) => "conv.backward_input",
            (Self::ConvTranspose(_), Product::Forward) => "conv_transpose.forward",
            (Self::ConvTranspose(_), Product::BackwardInput) => "conv_transpose.backward_input",
        };
        let (Self::Conv(maps) | Self::ConvTranspose(maps)) = self else { unreachable!() };
        maps.geometry.problem(form, maps.small, maps.large)
    }

    /// The variant that one of its products takes for a batch: see [`Product::variant`].
    pub fn variant(
        &self,
        gpu: &Gpu,
        choices: &Choices,
        product: Product,
        batch: usize,
    ) -> Variant {
        let (Self::Conv(maps) | Self::ConvTranspose(maps)) = *self else {
            let &Self::Dense { inputs, outputs } = self else { unreachable!() };
            return product.variant(gpu, choices, [batch, inputs, outputs]);
        };
        let Channels { geometry, small, large } = maps;
        let pixels = [geometry.small, geometry.large].map(|e| batch * e.height * e.width);
        let gathers = matches!(self, Self::Conv(_)) == (product == Product::Forward);
        let size = match product {
            Product::BackwardWeight => geometry.weight_shape(small, large),
            _ if gathers => [pixels[0], small],
            _ => [pixels[1], large],
        };
        chosen(gpu, choices, &self.key(product), size)
    }

    /// Additions and multiplications of each of its products.
    pub fn flop(&self, batch: usize) -> f64 {
        let terms = match self {
            Self::Dense { inputs, outputs } => inputs * outputs,
            Self::Conv(Channels { geometry, small, large })
            | Self::ConvTranspose(Channels { geometry, small, large }) => {
                let pixels = geometry.small.height * geometry.small.width;
                pixels * geometry.kernel * geometry.kernel * small * large
            }
        };
        2.0 * batch as f64 * terms as f64
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        let (from, to, Channels { geometry, small, large }) = match self {
            Self::Dense { inputs, outputs } => return write!(f, "{inputs} to {outputs}"),
            Self::Conv(maps) => (maps.geometry.large, maps.geometry.small, maps),
            Self::ConvTranspose(maps) => (maps.geometry.small, maps.geometry.large, maps),
        };
        let channels = if matches!(self, Self::Conv(_)) { [large, small] } else { [small, large] };
        write!(f, "{}x{}x{} to ", channels[0], from.height, from.width)?;
        write!(f, "{}x{}x{} k{}", channels[1], to.height, to.width, geometry.kernel)
    }
}
