//! Convolutions and transposed ones: every form in every variant.

mod golden;
mod oracle;
mod run;
mod weights;

use oracle::Layer;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::Extent;
use vae_gpu::ops::conv::Geometry;

pub use weights::{backward_weight, backward_weight_step};

use crate::check;
use crate::matmul::run::variants;

/// Batch, input (channels, height, width), outputs, kernel, stride, padding, output padding; the last
/// of transposed ones alone.
type Arguments = (usize, [usize; 3], usize, [usize; 4]);

/// Tiles that fill up and tiles that do not, in each variant.
const FEW: [Arguments; 3] = [
    (3, [5, 7, 6], 33, [3, 2, 1, 1]),
    (2, [32, 8, 8], 64, [4, 2, 1, 0]),
    (1, [3, 5, 9], 2, [2, 3, 0, 2]),
];

const MANY: [Arguments; 17] = [
    // a single pixel, and a kernel larger than the map
    (1, [1, 1, 1], 1, [1, 1, 0, 0]),
    (3, [3, 1, 1], 5, [3, 1, 1, 0]),
    (2, [5, 2, 3], 3, [5, 2, 2, 1]),
    (1, [33, 1, 2], 1, [4, 3, 2, 0]),
    // pixels that no tap reaches, whole lines of them
    (3, [3, 8, 7], 5, [2, 3, 0, 0]),
    (1, [4, 9, 5], 4, [1, 4, 0, 3]),
    (2, [2, 11, 13], 3, [3, 5, 1, 4]),
    // padding beyond the kernel
    (2, [3, 4, 4], 2, [2, 1, 3, 0]),
    // a line and a column
    (3, [1, 1, 57], 33, [3, 1, 1, 0]),
    (1, [63, 29, 1], 1, [3, 2, 1, 0]),
    // batches, channels and lines beyond a tile
    (257, [3, 5, 3], 5, [3, 2, 1, 1]),
    (2, [257, 3, 3], 63, [3, 1, 1, 0]),
    (1, [1, 1, 1757], 5, [3, 2, 1, 0]),
    // as models have them
    (3, [1, 28, 28], 32, [3, 2, 1, 1]),
    (1, [32, 14, 14], 64, [3, 2, 1, 1]),
    (2, [64, 7, 7], 16, [4, 2, 1, 0]),
    (2, [20, 16, 16], 36, [3, 1, 1, 0]),
];

fn layer(transposed: bool, &(batch, input, outputs, numbers): &Arguments) -> Option<Layer> {
    let [kernel, stride, padding, output_padding] = numbers;
    let output_padding = if transposed { output_padding } else { 0 };
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
    let many = (4 * 65_535 / 6 + 99, [1, 2, 3], 1, [1, 1, 0, 0]);
    let wide = (1, [4 * 257, 1, 2], 4 * 257, [1, 1, 0, 0]);
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
}
