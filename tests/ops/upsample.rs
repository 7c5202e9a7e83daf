use serde_json::json;
use vae_gpu::ops::{Extent, Pair, upsample};

use crate::check::{self, Guarded};
use crate::maps::{self, Copies};

/// Maps of x and the factor.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    extent: Extent,
    channels: usize,
    factor: Pair,
}

impl Case {
    fn new([batch, height, width, channels, down, across]: [usize; 6]) -> Self {
        let factor = Pair { down, across };
        Self { batch, extent: Extent { height, width }, channels, factor }
    }

    fn copies(&self) -> Copies {
        let Self { batch, extent: Extent { height, width }, channels, factor } = *self;
        let mut sources = Vec::new();
        for image in 0..batch {
            for row in 0..factor.down * height {
                for column in 0..factor.across * width {
                    let pixel =
                        (image * height + row / factor.down) * width + column / factor.across;
                    sources.extend((0..channels).map(|c| pixel * channels + c));
                }
            }
        }
        let rows = batch * height * width;
        let (x_shape, y_shape) = ([rows, channels], [rows * factor.area(), channels]);
        Copies { x_shape, y_shape, sources }
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let sizes = [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 2, 2],
        [2, 3, 5, 3, 2, 2],
        [3, 7, 7, 64, 2, 2],
        [2, 5, 1, 5, 3, 3],
        [1, 1, 9, 4, 4, 4],
        [5, 4, 3, 63, 1, 1],
        [1, 2, 2, 257, 7, 7],
        [2, 14, 14, 20, 2, 2],
        [63, 2, 3, 5, 2, 2],
        [1, 1, 1757, 3, 2, 2],
        [2, 1757, 1, 1, 3, 3],
        [2, 3, 5, 3, 1, 2],
        [1, 4, 3, 5, 3, 2],
        [3, 1, 57, 1, 7, 1],
    ];
    sizes.into_iter().map(Case::new)
}

#[test]
fn oracle_is_pytorchs() {
    for golden in maps::golden("upsample") {
        let (&[batch, channels, height, width], factor) =
            golden.arguments.split_first_chunk().unwrap();
        let [down, across] = [factor[0], factor[factor.len() - 1]];
        let case = Case::new([batch, height, width, channels, down, across]);
        case.copies().assert_golden(&format!("{case:?}"), &golden);
    }
}

#[test]
fn oracle_is_the_gradient() {
    let cases = cases().map(|case| (case, case.copies()));
    for (case, copies) in cases.filter(|(_, copies)| copies.sources.len() < 500) {
        copies.assert_gradients(&format!("{case:?}"));
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for case in cases() {
        case.copies().assert_forward(gpu, &format!("{case:?}"), |recording, x, y| {
            upsample::forward(recording, "test", case.factor, x, case.extent, y);
        });
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for case in cases() {
        case.copies().assert_backward(gpu, &format!("{case:?}"), |recording, dy, origin, dx| {
            upsample::backward(recording, "test", case.factor, dy, origin, case.extent, dx);
        });
    }
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let case = Case::new([2, 9, 11, 3, 2, 2]);
    let constants = [("FACTOR_DOWN", 2), ("FACTOR_ACROSS", 2)];
    let copies = case.copies();
    let (x_shape, y_shape) = (copies.x_shape, copies.y_shape);
    let x = check::random(1, x_shape.iter().product(), -1.0..1.0);
    let y = Guarded::roomy(gpu, &y_shape);
    let on_x = maps::ample_input(gpu, x_shape, &x);
    let params = json!({ "count": 198, "height": 9, "width": 11, "quads": 1 });
    let tensors = [("x", &on_x), ("y", &y.tensor)];
    maps::run_kernel(gpu, (&upsample::SHADER, "forward"), &constants, &params, &tensors, 198);
    let want = copies.forward(&check::wide(&x));
    check::assert_each("y", &y.floats(gpu), &want, 0.0, 0.0);
    let dx = Guarded::roomy(gpu, &x_shape);
    let on_dy = maps::ample_input(gpu, y_shape, &y.floats(gpu));
    let tensors = [("dy", &on_dy), ("pre", &on_x), ("dx", &dx.tensor)];
    maps::run_kernel(gpu, (&upsample::SHADER, "backward"), &constants, &params, &tensors, 198);
    let want: Vec<_> = x.iter().map(|x| 4.0 * x).collect();
    assert_eq!(dx.floats(gpu), want);
}
