use serde_json::json;
use vae_gpu::ops::repeat;

use crate::check::{self, Guarded};
use crate::maps::{self, dot};

/// Examples, rows of each, columns and copies.
const SIZES: [[usize; 4]; 8] = [
    [1, 1, 1, 1],
    [63, 1, 5, 3],
    [257, 1, 3, 2],
    [5, 1, 1757, 4],
    [1757, 1, 1, 3],
    [1, 1, 64, 63],
    [7, 9, 3, 5],
    [3, 257, 1, 2],
];

/// y
fn copies([_, span, columns, times]: [usize; 4], x: &[f64]) -> Vec<f64> {
    x.chunks(span * columns).flat_map(|example| example.repeat(times)).collect()
}

/// dx
fn sums([_, span, columns, times]: [usize; 4], dy: &[f64]) -> Vec<f64> {
    let example = span * columns;
    let sum = |copies: &[f64], i: usize| (0..times).map(|copy| copies[copy * example + i]).sum();
    dy.chunks(times * example)
        .flat_map(|copies| (0..example).map(move |i| sum(copies, i)))
        .collect()
}

#[test]
fn oracle_is_the_gradient() {
    for sizes in [[3, 2, 5, 4], [2, 1, 3, 1]] {
        let [examples, span, columns, times] = sizes;
        let x = check::wide(&check::random(1, examples * span * columns, -1.0..1.0));
        let dy = check::wide(&check::random(2, x.len() * times, -1.0..1.0));
        let loss = |x: &[f64]| dot(&dy, &copies(sizes, x));
        check::assert_gradient(&format!("{sizes:?}"), loss, &x, &sums(sizes, &dy));
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, span, columns, times] in SIZES {
        let x = check::random(1, examples * span * columns, -1.0..1.0);
        let on_x = check::input(gpu, &[examples * span, columns], &x);
        let y = Guarded::new(gpu, &[examples * times * span, columns]);
        check::run(gpu, |recording| repeat::forward(recording, "test", &on_x, span, &y.tensor));
        let want = copies(sizes, &check::wide(&x));
        check::assert_each(&format!("{sizes:?}"), &y.floats(gpu), &want, 0.0, 0.0);
        let shape = [examples * times * span, columns];
        check::assert_pads(gpu, shape, |p, y| repeat::forward(p, "test", &on_x, span, y));
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, span, columns, times] in SIZES {
        let dy = check::random(1, examples * times * span * columns, -1.0..1.0);
        let on_dy = check::input(gpu, &[examples * times * span, columns], &dy);
        let dx = Guarded::new(gpu, &[examples * span, columns]);
        check::run(gpu, |recording| repeat::backward(recording, "test", &on_dy, span, &dx.tensor));
        let want = sums(sizes, &check::wide(&dy));
        check::assert_each(&format!("{sizes:?}"), &dx.floats(gpu), &want, 1e-6, 1e-5);
        let shape = [examples * span, columns];
        check::assert_pads(gpu, shape, |p, dx| repeat::backward(p, "test", &on_dy, span, dx));
    }
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let shape = [131, 5];
    let values = check::random(1, 131 * 5, -1.0..1.0);
    let input = maps::ample_input(gpu, shape, &values);
    let params = json!({ "count": 262, "quads": 2, "times": 1 });
    for (entry, from, to) in [("forward", "x", "y"), ("backward", "dy", "dx")] {
        let result = Guarded::roomy(gpu, &shape);
        let tensors = [(from, &input), (to, &result.tensor)];
        maps::run_kernel(gpu, (&repeat::SHADER, entry), &[], &params, &tensors, 262);
        assert_eq!(result.floats(gpu), values);
    }
}
