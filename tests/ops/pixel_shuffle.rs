use vae_gpu::ops::{Extent, pixel_shuffle};

use crate::check;
use crate::maps::{self, Copies};

/// Batch, channels of y, height and width of x, and the factor.
type Sizes = [usize; 5];

const SIZES: [Sizes; 10] = [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 2],
    [2, 3, 3, 5, 2],
    [2, 1, 5, 1, 3],
    [1, 5, 4, 2, 3],
    [3, 64, 7, 7, 2],
    [63, 4, 2, 3, 2],
    [1, 257, 2, 2, 2],
    [1, 1, 1757, 1, 2],
    [2, 2, 3, 2, 5],
];

/// By PyTorch's definition, (batch, channels, height, width) of either map.
fn copies([batch, channels, height, width, factor]: Sizes) -> Copies {
    let mut sources = Vec::new();
    let square = factor * factor;
    for image in 0..batch {
        for (row, column) in (0..factor * height)
            .flat_map(|row| (0..factor * width).map(move |column| (row, column)))
        {
            let pixel = (image * height + row / factor) * width + column / factor;
            let within = row % factor * factor + column % factor;
            sources.extend((0..channels).map(|c| (pixel * channels + c) * square + within));
        }
    }
    let rows = batch * height * width;
    Copies { x_shape: [rows, channels * square], y_shape: [rows * square, channels], sources }
}

#[test]
fn oracle_is_pytorchs() {
    for golden in maps::golden("pixel_shuffle") {
        let &[batch, channels, height, width, factor] = &golden.arguments[..] else {
            panic!("{:?}", golden.arguments)
        };
        let sizes = [batch, channels / (factor * factor), height, width, factor];
        copies(sizes).assert_golden(&format!("{sizes:?}"), &golden);
    }
}

#[test]
fn oracle_is_the_gradient() {
    for sizes in SIZES {
        let copies = copies(sizes);
        if copies.sources.len() < 500 {
            copies.assert_gradients(&format!("{sizes:?}"));
        }
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [_, _, height, width, factor] in SIZES {
        copies(sizes).assert_forward(gpu, &format!("{sizes:?}"), |recording, x, y| {
            pixel_shuffle::forward(recording, "test", factor, x, Extent { height, width }, y);
        });
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [_, _, height, width, factor] in SIZES {
        copies(sizes).assert_backward(gpu, &format!("{sizes:?}"), |recording, dy, origin, dx| {
            let extent = Extent { height, width };
            pixel_shuffle::backward(recording, "test", factor, dy, origin, extent, dx);
        });
    }
}
