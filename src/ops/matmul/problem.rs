//! Layers whose matrix products can be tuned.

use std::fmt::{Display, Formatter};

use super::{Product, Variant, chosen};
use crate::gpu::{AdapterReport, Choices, padded};
use crate::ops::Extent;
use crate::ops::geometry::Geometry;

/// A layer whose products are to be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A fully connected layer.
    Dense {
        /// Number of input features.
        inputs: usize,
        /// Number of output features.
        outputs: usize,
    },
    /// A convolution, or a transposed one.
    Conv {
        /// The layer's kernel, stride, padding and map sizes.
        geometry: Geometry,
        /// Channels of the input.
        inputs: usize,
        /// Channels of the output.
        outputs: usize,
    },
}

impl Problem {
    /// A fully connected layer.
    pub fn dense(inputs: usize, outputs: usize) -> Self {
        Self::Dense { inputs, outputs }
    }

    /// The form of one of its products, one of [`super::forms`].
    pub(in crate::ops) fn form(&self, product: Product) -> String {
        let op = match (self, product) {
            (Self::Dense { .. }, _) => "matmul",
            // A transposed convolution shares this form.
            (_, Product::BackwardWeight) => "conv",
            (Self::Conv { geometry, .. }, _) if geometry.transposed => "conv_transpose",
            _ => "conv",
        };
        format!("{op}.{}", product.name())
    }

    /// The name of one of its products in [`Choices`], which does not depend on the batch.
    pub fn key(&self, product: Product) -> String {
        match *self {
            Self::Dense { inputs, outputs } => product.problem(inputs, outputs),
            Self::Conv { geometry, inputs, outputs } => {
                let Geometry { kernel, stride, padding, .. } = geometry;
                let size = |e: Extent, channels| format!("{channels}x{}x{}", e.height, e.width);
                let maps = [size(geometry.input(), inputs), size(geometry.output(), outputs)];
                let [small, large] = geometry.small_and_large(maps);
                let form = self.form(product);
                format!("{form} {large} over {small} k{kernel} s{stride} p{padding}")
            }
        }
    }

    /// Height and width of the result of one of its products for a batch.
    fn size(&self, product: Product, batch: usize) -> [usize; 2] {
        match *self {
            Self::Dense { inputs, outputs } => {
                let [height, width, _] = product.shape([batch, inputs, outputs]);
                [height, width]
            }
            Self::Conv { geometry, inputs, outputs } => {
                let rows = |Extent { height, width }| batch * height * width;
                match product {
                    Product::Forward => [rows(geometry.output()), outputs],
                    Product::BackwardInput => [rows(geometry.input()), inputs],
                    Product::BackwardWeight => {
                        let [small, large] = geometry.small_and_large([inputs, outputs]);
                        geometry.weight_shape(small, large)
                    }
                }
            }
        }
    }

    /// The variant that one of its products takes for a batch: see [`Product::variant`].
    pub fn variant(
        &self,
        adapter: &AdapterReport,
        choices: &Choices,
        product: Product,
        batch: usize,
    ) -> Variant {
        chosen(adapter, choices, &self.key(product), self.size(product, batch))
    }

    /// Number of terms of the longest sum in its products, apart from sums over the batch, which
    /// are computed in parts.
    pub fn longest_sum(&self) -> usize {
        match *self {
            Self::Dense { inputs, outputs } => inputs.max(outputs),
            Self::Conv { geometry, inputs, outputs } => {
                let Geometry { kernel, stride, .. } = geometry;
                let [small, large] = geometry.small_and_large([inputs, outputs]).map(padded);
                let reached =
                    kernel.down.div_ceil(stride.down) * kernel.across.div_ceil(stride.across);
                (kernel.area() * large).max(reached * small)
            }
        }
    }

    /// Number of additions and multiplications of each of its products, including those with
    /// padding.
    pub fn flop(&self, batch: usize) -> f64 {
        let pairs = match *self {
            Self::Dense { inputs, outputs } => inputs * outputs,
            Self::Conv { geometry: Geometry { kernel, small, .. }, inputs, outputs, .. } => {
                small.height * small.width * kernel.area() * inputs * outputs
            }
        };
        2.0 * batch as f64 * pairs as f64
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        match *self {
            Self::Dense { inputs, outputs } => write!(f, "{inputs} to {outputs}"),
            Self::Conv { geometry, inputs, outputs } => {
                let [from, to] = [geometry.input(), geometry.output()];
                write!(f, "{inputs}x{}x{} to ", from.height, from.width)?;
                write!(f, "{outputs}x{}x{} k{}", to.height, to.width, geometry.kernel)
            }
        }
    }
}
