//! Operations on tensors, one file per shader and named like it. Each function records its
//! dispatches into a [`Recording`]. Activations and learning rates are computed within other
//! dispatches where possible and have files without a shader.
//!
//! These are the lower level, for those who write layers or training steps of their own; every
//! program uses those that configurations name ([`likelihood`], [`optimizer`], [`tune`]). A
//! function panics on shapes that do not fit its kernel, since kernels check no shapes themselves.
//!
//! Shapes are written as (rows, columns), row-major; a batch's images are its rows.
//!
//! [`Recording`]: crate::gpu::Recording

pub mod activate;
pub mod activation;
pub mod add;
pub mod batch_norm;
pub mod clip;
pub mod column_sums;
pub mod columns;
pub mod concat;
pub mod conv;
pub mod density;
pub mod dropout;
pub mod expression;
pub mod gather;
mod geometry;
pub mod latent;
pub mod layer_norm;
pub mod likelihood;
pub mod limits;
pub mod log_mean_exp;
pub mod loss;
pub mod matmul;
pub mod moments;
pub mod noise;
pub mod optimizer;
pub mod pixel_shuffle;
pub mod pool;
pub mod ramp;
pub mod repeat;
pub mod report;
pub mod reshape;
pub mod schedule;
pub mod shuffle;
pub mod sums;
pub mod tune;
pub mod upsample;

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::gpu::{Gpu, Recording, Shader, Tensor};

/// Every shader except those of [`matmul::forms`], which have variants.
pub const SHADERS: &[&Shader] = &[
    &activate::SHADER,
    &add::SHADER,
    &batch_norm::SHADER,
    &clip::SHADER,
    &column_sums::SHADER,
    &columns::SHADER,
    &concat::SHADER,
    &dropout::SHADER,
    &gather::SHADER,
    &latent::SHADER,
    &layer_norm::SHADER,
    &limits::SHADER,
    &log_mean_exp::SHADER,
    &loss::SHADER,
    &matmul::NAIVE,
    &noise::SHADER,
    &optimizer::SHADER,
    &pixel_shuffle::SHADER,
    &pool::SHADER,
    &ramp::SHADER,
    &repeat::SHADER,
    &report::SHADER,
    &reshape::SHADER,
    &shuffle::SHADER,
    &sums::SHADER,
    &sums::STEP,
    &upsample::SHADER,
];

/// Height and width in pixels of an image or a feature map. A batch of maps is a matrix (batch ·
/// height · width, channels).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// A size down and one across: of a window, a stride, a padding. A number stands for a square,
/// `[down, across]` for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Along the height.
    pub down: usize,
    /// Along the width.
    pub across: usize,
}

impl Pair {
    /// Places in a window of these sides.
    pub fn area(self) -> usize {
        self.down * self.across
    }

    /// Both, the one down first.
    pub fn sides(self) -> [usize; 2] {
        [self.down, self.across]
    }
}

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self { down: both, across: both }
    }
}

impl From<[usize; 2]> for Pair {
    fn from([down, across]: [usize; 2]) -> Self {
        Self { down, across }
    }
}

/// Prints a square's side once, as in `3`, and otherwise both, as in `3x2`.
impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { down, across } = self;
        if down == across { write!(f, "{down}") } else { write!(f, "{down}x{across}") }
    }
}

/// Counters that stay on the GPU between steps; the host writes them before an epoch and reads them
/// after it. Mirrors the shader struct `State` of `shaders/shared/state.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct State {
    /// Steps taken since the beginning.
    pub step: u32,
    /// Epochs finished.
    pub epoch: u32,
    /// Images of the current epoch already used.
    pub row: u32,
    /// Images in an epoch.
    pub images: u32,
}

impl State {
    /// Elements of 4 bytes in a state.
    pub const WORDS: usize = size_of::<Self>() / 4;

    /// A tensor that holds one state, zeroed.
    pub fn tensor(name: &str) -> Tensor {
        Tensor::zeros(name, &[Self::WORDS])
    }

    /// Uploads the state to `tensor`.
    pub fn write(&self, gpu: &Gpu, tensor: &Tensor) {
        tensor.write(gpu, bytemuck::cast_slice::<Self, u32>(&[*self]));
    }

    /// Reads a state back from `tensor`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn read(gpu: &Gpu, tensor: &Tensor) -> Result<Self> {
        Ok(bytemuck::pod_read_unaligned(bytemuck::cast_slice(&tensor.read::<u32>(gpu)?)))
    }
}

/// The purpose of random draws, which is the fourth word of the generator's key: draws for
/// different purposes are independent under the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Reparameterization in training.
    Train = 0,
    /// Order of the images.
    Shuffle = 1,
    /// Reparameterization in evaluation.
    Evaluate = 2,
    /// Draws from the prior.
    Sample = 3,
    /// Corruption of the input in training.
    Corrupt = 4,
    /// Corruption of the input in evaluation.
    CorruptEvaluate = 5,
    /// Draws of pixels from the likelihood.
    Pixels = 6,
    /// Dropout masks.
    Dropout = 7,
    /// Draws of black and white from grey pixels in training.
    Binarize = 8,
    /// The same in evaluation.
    BinarizeEvaluate = 9,
}

/// Cuts `items` into parts, each as long as possible: at most `most` items for which `fits` holds,
/// and at least one.
fn in_parts<T>(
    items: &[T],
    most: usize,
    fits: impl Fn(&[T]) -> bool,
) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let longer = (1..=rest.len().min(most)).take_while(|n| *n == 1 || fits(&rest[..*n]));
        let (part, left) = rest.split_at(longer.last()?);
        rest = left;
        Some(part)
    })
}

/// Groups `items` by dispatch: at most `most` in one, of which each `is_alike` the first, and for which
/// `fits` holds.
fn by_dispatch<T: Clone>(
    items: &[T],
    most: usize,
    is_alike: impl Fn(&T, &T) -> bool,
    fits: impl Fn(&[T]) -> bool,
) -> Vec<Vec<T>> {
    let mut alike: Vec<Vec<T>> = Vec::new();
    for item in items {
        match alike.iter_mut().find(|others| is_alike(&others[0], item)) {
            Some(others) => others.push(item.clone()),
            None => alike.push(vec![item.clone()]),
        }
    }
    let parts = alike.iter().flat_map(|items| in_parts(items, most, &fits));
    parts.map(<[_]>::to_vec).collect()
}

/// Whether a kernel can bind the span of all `tensors`, which share a buffer, as one.
fn can_bind<'a>(recording: &Recording, tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
    4 * Tensor::span(tensors).extent() as u64 <= recording.adapter().max_binding_bytes
}

/// Quads (groups of four elements, padding included) in each of `tensors`; panics unless they are
/// padded matrices of one layout.
fn quads(label: &str, tensors: &[&Tensor]) -> usize {
    let layout = |tensor: &Tensor| (tensor.rows(), tensor.columns(), tensor.stride());
    let same = tensors.iter().all(|tensor| layout(tensor) == layout(tensors[0]));
    assert!(same, "{label}: layouts differ");
    assert!(tensors[0].stride().is_multiple_of(4), "{label}: matrices must be padded");
    tensors[0].extent() / 4
}

fn halves(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::in_parts;

    #[test]
    fn parts_are_as_long_as_may_be_and_never_empty() {
        let parts = |most, largest: u32| -> Vec<Vec<u32>> {
            let fits = |part: &[u32]| part.iter().sum::<u32>() <= largest;
            in_parts(&[1, 2, 3, 9, 1], most, fits).map(<[_]>::to_vec).collect()
        };
        assert_eq!(parts(9, 100), [[1, 2, 3, 9, 1]]);
        assert_eq!(parts(2, 100), [&[1, 2][..], &[3, 9], &[1]]);
        assert_eq!(parts(9, 6), [&[1, 2, 3][..], &[9], &[1]]);
        assert_eq!(in_parts(&[0; 0], 2, |_| true).count(), 0);
    }
}
