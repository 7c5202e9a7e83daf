use serde_json::json;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::activation::Activation;
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

/// Where something goes, forward or as a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Flatten,
    Unflatten,
}
use Way::*;

impl Way {
    /// Of what is given and what results.
    fn shapes(self, sizes: Sizes) -> [[usize; 2]; 2] {
        match self {
            Flatten => [map_shape(sizes), features_shape(sizes)],
            Unflatten => [features_shape(sizes), map_shape(sizes)],
        }
    }

    fn turned(self, x: &[f64], sizes: Sizes) -> Vec<f64> {
        match self {
            Flatten => flattened(x, sizes),
            Unflatten => unflattened(x, sizes),
        }
    }

    /// The transpose of a permutation is its inverse.
    fn back(self) -> Self {
        match self {
            Flatten => Unflatten,
            Unflatten => Flatten,
        }
    }
}

#[test]
fn oracle_is_the_gradient() {
    let small = SIZES.into_iter().filter(|sizes| sizes.iter().product::<usize>() < 100);
    let cases = small.flat_map(|sizes| [Flatten, Unflatten].map(|way| (sizes, way)));
    for ((sizes, way), activation) in cases.flat_map(|case| ACTIVATIONS.map(|a| (case, a))) {
        let count = sizes.iter().product();
        let [pre, dy] = [1, 2].map(|seed| check::wide(&check::random(seed, count, -2.0..2.0)));
        let loss = |pre: &[f64]| dot(&dy, &way.turned(&activated(activation, pre), sizes));
        let gradient = times_slope(way.back().turned(&dy, sizes), activation, &pre);
        check::assert_gradient(&format!("{way:?} {sizes:?}"), loss, &pre, &gradient);
    }
}

/// Asserts the result as a layer's forward step, or as gradients go back through an activation or none.
fn assert_way(gpu: &Gpu, way: Way, sizes: Sizes, activation: Option<Option<Activation>>) {
    let [from, to] = way.shapes(sizes);
    let [x, pre] = [1, 2].map(|seed| check::random(seed, sizes.iter().product(), -2.0..2.0));
    let (on_x, result) = (check::input(gpu, &from, &x), Guarded::new(gpu, &to));
    let origin = activation.map(|a| maps::origin(a, &check::input(gpu, &to, &pre)));
    check::run(gpu, |recording| match way {
        Flatten => reshape::flatten(recording, "test", &on_x, origin.as_ref(), &result.tensor),
        Unflatten => reshape::unflatten(recording, "test", &on_x, origin.as_ref(), &result.tensor),
    });
    let turned = way.turned(&check::wide(&x), sizes);
    let what = format!("{way:?} {sizes:?}, {activation:?}");
    match activation.flatten() {
        None => check::assert_each(&what, &result.floats(gpu), &turned, 0.0, 0.0),
        activation => {
            let want = times_slope(turned, activation, &check::wide(&pre));
            check::assert_norm(&what, &result.floats(gpu), &want, 1e-5);
        }
    }
}

fn assert_all(way: Way) {
    let Some(gpu) = check::gpu() else { return };
    let activations = || ACTIVATIONS.into_iter().map(Some).chain([None]);
    SIZES.iter().for_each(|&sizes| activations().for_each(|a| assert_way(gpu, way, sizes, a)));
}

#[test]
pub fn flatten() {
    assert_all(Flatten);
}

#[test]
pub fn unflatten() {
    assert_all(Unflatten);
}

#[test]
fn the_padding_of_features_is_written() {
    let Some(gpu) = check::gpu() else { return };
    for [batch, pixels, channels] in [[1, 1, 1], [3, 49, 1], [2, 7, 5], [3, 63, 21]] {
        let values = check::random(1, batch * pixels * channels, -1.0..1.0);
        let map = check::input(gpu, &[batch * pixels, channels], &values);
        check::assert_pads(gpu, [batch, channels * pixels], |recording, features| {
            reshape::flatten(recording, "test", &map, None, features);
        });
    }
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let sizes = [3, 63, 21];
    let x = check::random(1, sizes.iter().product(), -1.0..1.0);
    let params = json!({ "count": 288, "pixels": 63, "channels": 21, "feature_row": 1324 });
    for (way, entry, [from, to, pre]) in [
        (Flatten, "flatten", ["map", "features", "features_pre"]),
        (Unflatten, "unflatten", ["features", "map", "map_pre"]),
    ] {
        let [x_shape, y_shape] = way.shapes(sizes);
        let on_x = maps::ample_input(gpu, x_shape, &x);
        let on_pre = maps::ample_input(gpu, y_shape, &x);
        let result = Guarded::roomy(gpu, &y_shape);
        let tensors = [(from, &on_x), (to, &result.tensor), (pre, &on_pre)];
        maps::run_kernel(gpu, (&reshape::SHADER, entry), &[], &params, &tensors, 288);
        let want = way.turned(&check::wide(&x), sizes);
        check::assert_each(entry, &result.floats(gpu), &want, 0.0, 0.0);
    }
}
