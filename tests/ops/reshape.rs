use vae_gpu::gpu::Gpu;
use vae_gpu::ops::reshape;

use crate::check::{self, Guarded};
use crate::maps::{self, ACTIVATIONS, activated, dot, times_slope};

/// Batch, pixels in a map, and channels.
type Sizes = [usize; 3];

const SIZES: [Sizes; 14] = [
    [1, 1, 1],
    [3, 1, 5],
    [2, 2, 3],
    [2, 3, 6],
    [5, 4, 4],
    [2, 49, 64],
    [3, 49, 7],
    [1, 63, 257],
    [128, 16, 12],
    [2, 784, 1],
    [3, 1024, 3],
    [1, 1757, 2],
    [257, 6, 1],
    [2, 65, 63],
];

fn map_shape([batch, pixels, channels]: Sizes) -> [usize; 2] {
    [batch * pixels, channels]
}

fn features_shape([batch, pixels, channels]: Sizes) -> [usize; 2] {
    [batch, channels * pixels]
}

/// (batch, pixels, channels) to (batch, channels, pixels).
fn flattened(map: &[f64], [batch, pixels, channels]: Sizes) -> Vec<f64> {
    let mut features = Vec::new();
    for image in 0..batch {
        for channel in 0..channels {
            features.extend((0..pixels).map(|p| map[(image * pixels + p) * channels + channel]));
        }
    }
    features
}

/// The way back is the same with the sizes turned.
fn unflattened(features: &[f64], [batch, pixels, channels]: Sizes) -> Vec<f64> {
    flattened(features, [batch, channels, pixels])
}

#[test]
fn order_is_pytorchs() {
    for golden in maps::golden("flatten") {
        let &[batch, channels, height, width] = &golden.arguments[..] else {
            panic!("{:?}", golden.arguments)
        };
        let sizes = [batch, height * width, channels];
        assert_eq!(flattened(&golden.x, sizes), golden.y, "{sizes:?}");
        assert_eq!(unflattened(&golden.dy, sizes), golden.dx, "{sizes:?}");
    }
}

/// Both ways, and the wrappers' pairs: flattening and unflattening.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Flatten,
    Unflatten,
}
use Way::*;

impl Way {
    fn shapes(self, sizes: Sizes) -> [[usize; 2]; 2] {
        match self {
            Flatten => [map_shape(sizes), features_shape(sizes)],
            Unflatten => [features_shape(sizes), map_shape(sizes)],
        }
    }

    fn forward(self, x: &[f64], sizes: Sizes) -> Vec<f64> {
        match self {
            Flatten => flattened(x, sizes),
            Unflatten => unflattened(x, sizes),
        }
    }

    /// The transpose of a permutation is its inverse.
    fn backward(self, dy: &[f64], sizes: Sizes, activation: Option<&str>, pre: &[f64]) -> Vec<f64> {
        let dx = match self {
            Flatten => unflattened(dy, sizes),
            Unflatten => flattened(dy, sizes),
        };
        times_slope(dx, activation, pre)
    }
}

#[test]
fn oracle_is_the_gradient() {
    let small = SIZES.into_iter().filter(|sizes| sizes.iter().product::<usize>() < 100);
    let cases = small.flat_map(|sizes| [Flatten, Unflatten].map(|way| (sizes, way)));
    for ((sizes, way), activation) in cases.flat_map(|case| ACTIVATIONS.map(|a| (case, a))) {
        let count = sizes.iter().product();
        let [pre, dy] = [1, 2].map(|seed| check::wide(&check::random(seed, count, -2.0..2.0)));
        let loss = |pre: &[f64]| dot(&dy, &way.forward(&activated(activation, pre), sizes));
        let gradient = way.backward(&dy, sizes, activation, &pre);
        check::assert_gradient(&format!("{way:?} {sizes:?}"), loss, &pre, &gradient);
    }
}

fn assert_forward(gpu: &Gpu, way: Way, sizes: Sizes) {
    let [x_shape, y_shape] = way.shapes(sizes);
    let x = check::random(1, sizes.iter().product(), -1.0..1.0);
    let (on_x, y) = (check::input(gpu, &x_shape, &x), Guarded::new(gpu, &y_shape));
    check::run(gpu, |plan| match way {
        Flatten => reshape::flatten_forward(plan, "test", &on_x, &y.tensor),
        Unflatten => reshape::unflatten_forward(plan, "test", &on_x, &y.tensor),
    });
    let want = way.forward(&check::wide(&x), sizes);
    check::assert_each(&format!("{way:?} {sizes:?}"), &y.floats(gpu), &want, 0.0, 0.0);
}

fn assert_backward(gpu: &Gpu, way: Way, sizes: Sizes, activation: Option<&'static str>) {
    let [x_shape, y_shape] = way.shapes(sizes);
    let [pre, dy] = [1, 2].map(|seed| check::random(seed, sizes.iter().product(), -2.0..2.0));
    let (on_pre, on_dy) = (check::input(gpu, &x_shape, &pre), check::input(gpu, &y_shape, &dy));
    let origin = maps::origin(activation, &on_pre);
    let guarded = Guarded::new(gpu, &x_shape);
    let dx = &guarded.tensor;
    check::run(gpu, |plan| match way {
        Flatten => reshape::flatten_backward(plan, "test", &on_dy, &origin, dx),
        Unflatten => reshape::unflatten_backward(plan, "test", &on_dy, &origin, dx),
    });
    let want = way.backward(&check::wide(&dy), sizes, activation, &check::wide(&pre));
    let what = format!("{way:?} {sizes:?}, {activation:?}");
    check::assert_norm(&what, &guarded.floats(gpu), &want, 1e-5);
}

#[test]
pub fn flatten_forward() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.iter().for_each(|&sizes| assert_forward(gpu, Flatten, sizes));
}

#[test]
pub fn unflatten_forward() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.iter().for_each(|&sizes| assert_forward(gpu, Unflatten, sizes));
}

#[test]
pub fn flatten_backward() {
    let Some(gpu) = check::gpu() else { return };
    let cases = SIZES.into_iter().flat_map(|sizes| ACTIVATIONS.map(|a| (sizes, a)));
    cases.for_each(|(sizes, activation)| assert_backward(gpu, Flatten, sizes, activation));
}

#[test]
pub fn unflatten_backward() {
    let Some(gpu) = check::gpu() else { return };
    let cases = SIZES.into_iter().flat_map(|sizes| ACTIVATIONS.map(|a| (sizes, a)));
    cases.for_each(|(sizes, activation)| assert_backward(gpu, Unflatten, sizes, activation));
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let sizes = [3, 63, 21];
    let x = check::random(1, sizes.iter().product(), -1.0..1.0);
    let params = [288u32, 63, 21, 1324];
    for (way, backward, entry) in [
        (Flatten, false, "flatten_forward"),
        (Unflatten, false, "unflatten_forward"),
        (Unflatten, true, "flatten_backward"),
        (Flatten, true, "unflatten_backward"),
    ] {
        let [from, to] = way.shapes(sizes);
        let (source, result) = (maps::ample_input(gpu, from, &x), Guarded::roomy(gpu, &to));
        let pre = maps::ample_input(gpu, to, &x);
        let names = ["map", "features", "map_pre", "features_pre"];
        let turned = usize::from(way == Unflatten);
        let mut tensors = vec![(names[turned], &source), (names[1 - turned], &result.tensor)];
        if backward {
            tensors.push((names[3 - turned], &pre));
        }
        maps::run_kernel(gpu, (&reshape::SHADER, entry), &[], &params, &tensors, 288);
        let want = way.forward(&check::wide(&x), sizes);
        check::assert_each(entry, &result.floats(gpu), &want, 0.0, 0.0);
    }
}
