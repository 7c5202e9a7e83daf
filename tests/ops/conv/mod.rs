//! Convolutions and transposed ones: every form in every variant.

mod golden;
mod oracle;
mod run;
mod weights;

use oracle::Layer;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::conv::Geometry;
use vae_gpu::ops::{Extent, Pair};

pub use weights::{backward_weight, backward_weight_step};

use crate::check;
use crate::matmul::run::variants;

/// Batch, input (channels, height, width), outputs; kernel, stride, padding and output padding, the
/// last of transposed ones alone, each down and across.
type Arguments = (usize, [usize; 3], usize, [[usize; 2]; 4]);

/// The same down and across.
const fn square([kernel, stride, padding, more]: [usize; 4]) -> [[usize; 2]; 4] {
    [[kernel; 2], [stride; 2], [padding; 2], [more; 2]]
}

/// Tiles that fill up and tiles that do not, in each variant.
const FEW: [Arguments; 4] = [
    (3, [5, 7, 6], 33, square([3, 2, 1, 1])),
    (2, [32, 8, 8], 64, square([4, 2, 1, 0])),
    (1, [3, 5, 9], 2, square([2, 3, 0, 2])),
    (2, [5, 9, 7], 33, [[3, 2], [2, 3], [1, 0], [0, 2]]),
];

const MANY: [Arguments; 26] = [
    // a single pixel, and a kernel larger than the map
    (1, [1, 1, 1], 1, square([1, 1, 0, 0])),
    (3, [3, 1, 1], 5, square([3, 1, 1, 0])),
    (2, [5, 2, 3], 3, square([5, 2, 2, 1])),
    (1, [33, 1, 2], 1, square([4, 3, 2, 0])),
    // pixels that no tap reaches, whole lines of them
    (3, [3, 8, 7], 5, square([2, 3, 0, 0])),
    (1, [4, 9, 5], 4, square([1, 4, 0, 3])),
    (2, [2, 11, 13], 3, square([3, 5, 1, 4])),
    // padding beyond the kernel
    (2, [3, 4, 4], 2, square([2, 1, 3, 0])),
    // a line and a column
    (3, [1, 1, 57], 33, square([3, 1, 1, 0])),
    (1, [63, 29, 1], 1, square([3, 2, 1, 0])),
    // batches, channels and lines beyond a tile
    (257, [3, 5, 3], 5, square([3, 2, 1, 1])),
    (2, [257, 3, 3], 63, square([3, 1, 1, 0])),
    (1, [1, 1, 1757], 5, square([3, 2, 1, 0])),
    // as models have them
    (3, [1, 28, 28], 32, square([3, 2, 1, 1])),
    (1, [32, 14, 14], 64, square([3, 2, 1, 1])),
    (2, [64, 7, 7], 16, square([4, 2, 1, 0])),
    (2, [20, 16, 16], 36, square([3, 1, 1, 0])),
    // one direction unlike the other: a halving of odd lines and even columns, and back
    (2, [3, 17, 28], 8, square([3, 2, 1, 0])),
    (2, [8, 9, 14], 3, [[3, 3], [2, 2], [1, 1], [0, 1]]),
    (1, [3, 5, 9], 4, [[1, 4], [3, 1], [0, 2], [2, 0]]),
    (3, [4, 6, 4], 5, [[4, 1], [1, 3], [2, 0], [0, 1]]),
    (2, [1, 7, 5], 2, [[2, 5], [1, 4], [1, 0], [0, 3]]),
    // more phases across than down, and more of them than a dispatch takes
    (1, [2, 11, 13], 3, [[2, 9], [2, 9], [1, 3], [1, 8]]),
    (2, [5, 1, 257], 3, [[1, 7], [1, 2], [0, 3], [0, 1]]),
    (1, [3, 1757, 1], 5, [[5, 1], [3, 1], [2, 0], [1, 0]]),
    (63, [1, 4, 3], 2, [[3, 2], [1, 2], [0, 1], [0, 1]]),
];

fn layer(transposed: bool, &(batch, input, outputs, numbers): &Arguments) -> Option<Layer> {
    let [kernel, stride, padding, output_padding] = numbers.map(Pair::from);
    let output_padding = if transposed { output_padding } else { 0.into() };
    let layer =
        Layer { transposed, batch, input, outputs, kernel, stride, padding, output_padding };
    layer.geometry().is_some().then_some(layer)
}

impl Layer {
    fn geometry(&self) -> Option<Geometry> {
        let &Self { input, kernel, stride, padding, output_padding, .. } = self;
        let extent = Extent { height: input[1], width: input[2] };
        match self.transposed {
            true => Geometry::transposed(extent, kernel, stride, padding, output_padding),
            false => Geometry::convolution(extent, kernel, stride, padding),
        }
    }
}

/// Every layer in the adapter's own variant, and a few in each.
fn assert_form(transposed: bool, assert: impl Fn(&Gpu, &Layer, Option<&str>)) {
    let Some(gpu) = check::gpu() else { return };
    let layers = |all: &[Arguments]| -> Vec<_> {
        all.iter().filter_map(|arguments| layer(transposed, arguments)).collect()
    };
    layers(&MANY).iter().for_each(|layer| assert(gpu, layer, None));
    for layer in layers(&FEW) {
        for variant in variants(gpu) {
            assert(gpu, &layer, Some(&variant.to_string()));
        }
    }
}

#[test]
pub fn forward() {
    assert_form(false, run::forward);
}

#[test]
pub fn backward_input() {
    assert_form(false, run::backward_input);
}

#[test]
pub fn transposed_forward() {
    assert_form(true, run::forward);
}

#[test]
pub fn transposed_backward_input() {
    assert_form(true, run::backward_input);
}

/// Grids of more workgroups than most adapters take along x.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let many = (4 * 65_535 / 6 + 99, [1, 2, 3], 1, square([1, 1, 0, 0]));
    let wide = (1, [4 * 257, 1, 2], 4 * 257, square([1, 1, 0, 0]));
    for transposed in [false, true] {
        for words in ["registers 1 1x1", "tiled 1x1 1x1 4 1"] {
            let [many, wide] = [many, wide].map(|a| layer(transposed, &a).unwrap());
            run::forward(gpu, &many, Some(words));
            run::backward_input(gpu, &many, Some(words));
            weights::run(gpu, &[wide, layer(transposed, &FEW[2]).unwrap()], Some(words));
        }
    }
}

/// Of geometry alone.
#[test]
fn sizes_that_leave_no_output_are_refused() {
    let extent = |height, width| Extent { height, width };
    assert_eq!(Geometry::convolution(extent(2, 5), 3, 1, 0), None);
    assert!(Geometry::convolution(extent(2, 5), 4, 1, 1).is_some());
    assert_eq!(Geometry::transposed(extent(1, 1), 2, 1, 1, 0), None);
    // Two sizes of output that only an output padding tells apart.
    let large = |padding| Geometry::transposed(extent(3, 4), 3, 2, 1, padding).map(|g| g.large);
    assert_eq!([0, 1, 2].map(large), [Some(extent(5, 7)), Some(extent(6, 8)), None]);
    // Each direction by itself.
    let fits = |kernel: [usize; 2]| Geometry::convolution(extent(2, 5), kernel, 1, 0).is_some();
    assert_eq!([[2, 5], [3, 1], [1, 6]].map(fits), [true, false, false]);
    let large = |more: [usize; 2]| {
        Geometry::transposed(extent(9, 14), 3, 2, 1, more).map(|geometry| geometry.large)
    };
    let sizes = [[0, 1], [1, 0], [2, 0], [0, 2]].map(large);
    assert_eq!(sizes, [Some(extent(17, 28)), Some(extent(18, 27)), None, None]);
}
