use vae_gpu::gpu::Gpu;
use vae_gpu::ops::{Extent, upsample};

use crate::check::{self, Guarded};
use crate::maps::{self, ACTIVATIONS, activated, dot, times_slope};

/// Maps of x and the factor.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    extent: Extent,
    channels: usize,
    factor: usize,
}

impl Case {
    fn new([batch, height, width, channels, factor]: [usize; 5]) -> Self {
        Self { batch, extent: Extent { height, width }, channels, factor }
    }

    fn x_shape(&self) -> [usize; 2] {
        [self.batch * self.extent.height * self.extent.width, self.channels]
    }

    fn y_shape(&self) -> [usize; 2] {
        [self.x_shape()[0] * self.factor.pow(2), self.channels]
    }

    /// For every element of y that of x which it is.
    fn sources(&self) -> Vec<usize> {
        let Self { batch, extent: Extent { height, width }, channels, factor } = *self;
        let mut sources = Vec::new();
        for image in 0..batch {
            for row in 0..factor * height {
                for column in 0..factor * width {
                    let pixel = (image * height + row / factor) * width + column / factor;
                    sources.extend((0..channels).map(|c| pixel * channels + c));
                }
            }
        }
        sources
    }

    fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.sources().into_iter().map(|source| x[source]).collect()
    }

    fn backward(&self, dy: &[f64], activation: Option<&str>, pre: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; pre.len()];
        self.sources().into_iter().zip(dy).for_each(|(source, dy)| dx[source] += dy);
        times_slope(dx, activation, pre)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let sizes = [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 2],
        [2, 3, 5, 3, 2],
        [3, 7, 7, 64, 2],
        [2, 5, 1, 5, 3],
        [1, 1, 9, 4, 4],
        [5, 4, 3, 63, 1],
        [1, 2, 2, 257, 7],
        [2, 14, 14, 20, 2],
        [63, 2, 3, 5, 2],
        [1, 1, 1757, 3, 2],
        [2, 1757, 1, 1, 3],
    ];
    sizes.into_iter().map(Case::new)
}

fn assert_forward(gpu: &Gpu, case: Case) {
    let x = check::random(1, case.x_shape().iter().product(), -1.0..1.0);
    let on_x = check::input(gpu, &case.x_shape(), &x);
    let y = Guarded::new(gpu, &case.y_shape());
    check::run(gpu, |plan| {
        upsample::forward(plan, "test", case.factor, &on_x, case.extent, &y.tensor);
    });
    let what = format!("{case:?}");
    check::assert_each(&what, &y.floats(gpu), &case.forward(&check::wide(&x)), 0.0, 0.0);
}

fn assert_backward(gpu: &Gpu, case: Case, activation: Option<&'static str>) {
    let dy = check::random(1, case.y_shape().iter().product(), -1.0..1.0);
    let pre = check::random(2, case.x_shape().iter().product(), -2.0..2.0);
    let on_dy = check::input(gpu, &case.y_shape(), &dy);
    let on_pre = check::input(gpu, &case.x_shape(), &pre);
    let dx = Guarded::new(gpu, &case.x_shape());
    check::run(gpu, |plan| {
        let Case { factor, extent, .. } = case;
        let origin = maps::origin(activation, &on_pre);
        upsample::backward(plan, "test", factor, &on_dy, &origin, extent, &dx.tensor);
    });
    let want = case.backward(&check::wide(&dy), activation, &check::wide(&pre));
    check::assert_norm(&format!("{case:?}, {activation:?}"), &dx.floats(gpu), &want, 1e-5);
}

#[test]
fn oracle_is_pytorchs() {
    for golden in maps::golden("upsample") {
        let &[batch, channels, height, width, factor] = &golden.arguments[..] else {
            panic!("{:?}", golden.arguments)
        };
        let case = Case::new([batch, height, width, channels, factor]);
        maps::assert_close(&format!("y of {case:?}"), &case.forward(&golden.x), &golden.y);
        let dx = case.backward(&golden.dy, None, &golden.x);
        maps::assert_close(&format!("dx of {case:?}"), &dx, &golden.dx);
    }
}

#[test]
fn oracle_is_the_gradient() {
    for (case, activation) in cases().flat_map(|case| ACTIVATIONS.map(|a| (case, a))) {
        let pre = check::wide(&check::random(1, case.x_shape().iter().product(), -2.0..2.0));
        let dy = check::wide(&check::random(2, case.y_shape().iter().product(), -1.0..1.0));
        if pre.len() > 100 {
            continue;
        }
        let loss = |pre: &[f64]| dot(&dy, &case.forward(&activated(activation, pre)));
        let gradient = case.backward(&dy, activation, &pre);
        check::assert_gradient(&format!("{case:?}, {activation:?}"), loss, &pre, &gradient);
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    cases().for_each(|case| assert_forward(gpu, case));
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    cases().for_each(|case| ACTIVATIONS.iter().for_each(|&a| assert_backward(gpu, case, a)));
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let case = Case::new([2, 9, 11, 3, 2]);
    let constants = [("FACTOR", 2)];
    let [x_shape, y_shape] = [case.x_shape(), case.y_shape()];
    let x = check::random(1, x_shape.iter().product(), -1.0..1.0);
    let y = Guarded::roomy(gpu, &y_shape);
    let on_x = maps::ample_input(gpu, x_shape, &x);
    let params = [198u32, 9, 11, 1];
    let tensors = [("x", &on_x), ("y", &y.tensor)];
    maps::run_kernel(gpu, (&upsample::SHADER, "forward"), &constants, &params, &tensors, 198);
    let want = case.forward(&check::wide(&x));
    check::assert_each("y", &y.floats(gpu), &want, 0.0, 0.0);
    let dx = Guarded::roomy(gpu, &x_shape);
    let on_dy = maps::ample_input(gpu, y_shape, &y.floats(gpu));
    let tensors = [("dy", &on_dy), ("pre", &on_x), ("dx", &dx.tensor)];
    maps::run_kernel(gpu, (&upsample::SHADER, "backward"), &constants, &params, &tensors, 198);
    let want: Vec<_> = x.iter().map(|x| 4.0 * x).collect();
    assert_eq!(dx.floats(gpu), want);
}
