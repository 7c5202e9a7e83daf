//! The geometry of convolutions, and its form in the shaders' parameters.

use serde::Serialize;

use crate::gpu::Tensor;
use crate::ops::{Extent, Pair};

/// The kernel, stride, padding and map sizes of a convolution or a transposed convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Height and width of the kernel.
    pub kernel: Pair,
    /// Pixels of the larger map from one patch to the next.
    pub stride: Pair,
    /// Pixels of zeros around the larger map, as many above as below and to the left as to the right.
    pub padding: Pair,
    /// The larger map: the input of a convolution, the output of a transposed one.
    pub large: Extent,
    /// The smaller map: the output of a convolution, the input of a transposed one.
    pub small: Extent,
    /// Whether the convolution is transposed.
    pub transposed: bool,
}

impl Geometry {
    /// The geometry of a convolution of a map of size `large`; `None` if the kernel is larger than
    /// the padded map.
    pub fn convolution(
        large: Extent,
        kernel: impl Into<Pair>,
        stride: impl Into<Pair>,
        padding: impl Into<Pair>,
    ) -> Option<Self> {
        let (kernel, stride, padding) = (kernel.into(), stride.into(), padding.into());
        let side = |[side, kernel, stride, padding]: [usize; 4]| {
            Some((side + 2 * padding).checked_sub(kernel)? / stride + 1)
        };
        let small = Extent {
            height: side([large.height, kernel.down, stride.down, padding.down])?,
            width: side([large.width, kernel.across, stride.across, padding.across])?,
        };
        Some(Self { kernel, stride, padding, large, small, transposed: false })
    }

    /// The geometry of a transposed convolution of a map of size `small`. `None` if its output
    /// would be empty, or if a convolution of the output would not give the size `small`, for
    /// instance because `output_padding` is the stride or more.
    pub fn transposed(
        small: Extent,
        kernel: impl Into<Pair>,
        stride: impl Into<Pair>,
        padding: impl Into<Pair>,
        output_padding: impl Into<Pair>,
    ) -> Option<Self> {
        let (kernel, stride, padding) = (kernel.into(), stride.into(), padding.into());
        let more = output_padding.into();
        let side = |[side, kernel, stride, padding, more]: [usize; 5]| {
            let side = ((side - 1) * stride + kernel + more).checked_sub(2 * padding)?;
            (side > 0).then_some(side)
        };
        let large = Extent {
            height: side([small.height, kernel.down, stride.down, padding.down, more.down])?,
            width: side([small.width, kernel.across, stride.across, padding.across, more.across])?,
        };
        let geometry = Self::convolution(large, kernel, stride, padding)?;
        (geometry.small == small).then_some(Self { transposed: true, ..geometry })
    }

    /// Reorders a pair for input and output into one for the smaller and the larger map.
    pub fn small_and_large<T>(&self, [input, output]: [T; 2]) -> [T; 2] {
        if self.transposed { [input, output] } else { [output, input] }
    }

    /// Size of the input map.
    pub fn input(&self) -> Extent {
        if self.transposed { self.small } else { self.large }
    }

    /// Size of the output map.
    pub fn output(&self) -> Extent {
        if self.transposed { self.large } else { self.small }
    }

    /// The weight's shape for the maps' numbers of channels.
    pub fn weight_shape(&self, small_channels: usize, large_channels: usize) -> [usize; 2] {
        [small_channels, self.kernel.area() * crate::gpu::padded(large_channels)]
    }

    /// The number from which on the shaders cannot divide by it: see `shaders/product/patches.wgsl`.
    pub const LIMIT: usize = 1 << 21;

    /// Whether the strides, and the values of a patch with `large_channels` of the larger map, are below
    /// [`Geometry::LIMIT`].
    pub fn is_possible(&self, large_channels: usize) -> bool {
        let row = self.weight_shape(1, large_channels)[1];
        [row, self.stride.down, self.stride.across].iter().all(|n| *n < Self::LIMIT)
    }

    /// Images in a batch of the two maps; panics if their sizes do not match this geometry.
    pub(super) fn batch(
        &self,
        label: &str,
        small: &Tensor,
        large: &Tensor,
        weight: &Tensor,
    ) -> usize {
        let images = |map: &Tensor, extent: &Extent| {
            let pixels = extent.height * extent.width;
            assert!(map.rows().is_multiple_of(pixels), "{label}: a map of another size");
            assert!(map.stride().is_multiple_of(4), "{label}: matrices must be padded");
            map.rows() / pixels
        };
        let batch = images(small, &self.small);
        assert_eq!(batch, images(large, &self.large), "{label}: batches differ");
        let shape = self.weight_shape(small.columns(), large.columns());
        assert_eq!(weight.shape(), shape, "{label}: shape of the weight");
        let fits = small.extent().max(large.extent()) >> 31 == 0;
        assert!(fits && self.is_possible(large.columns()), "{label}: too large");
        batch
    }

    /// The patches of the larger map, one for each pixel of the smaller.
    pub(super) fn patches(&self, large: &Tensor) -> Patches {
        Patches {
            across: Divisor::new(self.small.width),
            down: Divisor::new(self.small.height),
            quads: Divisor::new(large.stride() / 4),
            taps: Divisor::new(self.kernel.across),
            height: self.large.height as i32,
            width: self.large.width as i32,
            step_down: self.stride.down as i32,
            step_across: self.stride.across as i32,
            turn: 1,
            top: -(self.padding.down as i32),
            left: -(self.padding.across as i32),
        }
    }

    /// The products of `shaders/product/scatter.wgsl`. Each computes the pixels of the larger map
    /// that are multiples of the stride apart, from patches of the smaller map.
    pub(super) fn phases(&self, small: &Tensor, batch: usize) -> Vec<Phase> {
        let axis = |large: usize, kernel: usize, stride: usize, padding: usize| {
            (0..stride.min(large)).map(move |pixel| {
                // For the pixels pixel + i · stride: the first tap of the kernel that reaches them,
                // the number of taps, and the pixel of the smaller map at the first tap for i = 0.
                let first = (pixel + padding) % stride;
                let taps = kernel.saturating_sub(first).div_ceil(stride);
                let from = (pixel + padding) / stride;
                (pixel, (large - pixel).div_ceil(stride), first, taps, from as i32)
            })
        };
        let quads = small.stride() / 4;
        let Self { kernel, stride, padding, .. } = *self;
        let phase = |(y, down, first_y, taps_y, top), (x, across, first_x, taps_x, left)| Phase {
            height: batch * down * across,
            depth: 4 * quads * taps_y * taps_x,
            first_tap: first_y * kernel.across + first_x,
            first_pixel: y * self.large.width + x,
            patches: Patches {
                across: Divisor::new(across),
                down: Divisor::new(down),
                quads: Divisor::new(quads),
                taps: Divisor::new(taps_x),
                height: self.small.height as i32,
                width: self.small.width as i32,
                step_down: 1,
                step_across: 1,
                turn: -1,
                top,
                left,
            },
        };
        let across = |y| {
            axis(self.large.width, kernel.across, stride.across, padding.across)
                .map(move |x| phase(y, x))
        };
        axis(self.large.height, kernel.down, stride.down, padding.down).flat_map(across).collect()
    }
}

/// A divisor and the bits of its reciprocal as an `f32`, with which `shaders/product/patches.wgsl`
/// divides integers.
#[derive(Clone, Copy, Serialize)]
struct Divisor([i32; 2]);

impl Divisor {
    fn new(number: usize) -> Self {
        Self([number as i32, (1.0 / number as f32).to_bits().cast_signed()])
    }
}

/// Mirrors the shader struct `Patches` of `shaders/product/patches.wgsl`.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Patches {
    across: Divisor,
    down: Divisor,
    quads: Divisor,
    taps: Divisor,
    height: i32,
    width: i32,
    step_down: i32,
    step_across: i32,
    turn: i32,
    top: i32,
    left: i32,
}

/// Mirrors the shader struct `Phase` of `shaders/product/scatter.wgsl`: one of its products.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Phase {
    /// Rows of the product's result.
    pub height: usize,
    depth: usize,
    first_tap: usize,
    first_pixel: usize,
    patches: Patches,
}
