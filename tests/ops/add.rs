use serde_json::json;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::add;

use crate::check::{self, Guarded};
use crate::maps::{self, ACTIVATIONS, SHAPES, activated, dot, times_slope};

fn sums(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// dx from da, dy and pre.
fn oracle(da: &[f64], dy: &[f64], activation: Option<Activation>, pre: &[f64]) -> Vec<f64> {
    sums(da, &times_slope(dy.to_vec(), activation, pre))
}

/// A block whose branch is a · x, so that da is dy · a · f'(pre).
#[test]
fn oracle_is_the_gradient() {
    let [pre, dy, a] = [1, 2, 3].map(|seed| check::wide(&check::random(seed, 20, -2.0..2.0)));
    for activation in ACTIVATIONS {
        let block = |pre: &[f64]| {
            let x = activated(activation, pre);
            let branch: Vec<_> = x.iter().zip(&a).map(|(x, a)| x * a).collect();
            dot(&dy, &sums(&branch, &x))
        };
        let by_branch = dy.iter().zip(&a).map(|(dy, a)| dy * a).collect();
        let da = times_slope(by_branch, activation, &pre);
        let gradient = oracle(&da, &dy, activation, &pre);
        check::assert_gradient(&format!("{activation:?}"), block, &pre, &gradient);
    }
}

fn assert_forward(gpu: &Gpu, shape: [usize; 2], activation: Option<Activation>) {
    let [a, b] = [1, 2].map(|seed| check::random(seed, shape[0] * shape[1], -3.0..3.0));
    let [on_a, on_b] = [&a, &b].map(|values| check::input(gpu, &shape, values));
    let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &shape));
    check::run(gpu, |recording| {
        add::forward(recording, "test", [&on_a, &on_b], activation, &pre.tensor, &y.tensor);
    });
    let sums = sums(&check::wide(&a), &check::wide(&b));
    let what = format!("{activation:?} of {shape:?}");
    check::assert_norm(&what, &pre.floats(gpu), &sums, 1e-6);
    check::assert_norm(&what, &y.floats(gpu), &activated(activation, &sums), 1e-5);
}

fn assert_backward(gpu: &Gpu, shape: [usize; 2], activation: Option<Activation>) {
    let values = [1, 2, 3].map(|seed| check::random(seed, shape[0] * shape[1], -3.0..3.0));
    let [da, dy, pre] = values.each_ref().map(|values| check::input(gpu, &shape, values));
    let dx = Guarded::new(gpu, &shape);
    check::run(gpu, |recording| {
        add::backward(recording, "test", &da, &dy, &maps::origin(activation, &pre), &dx.tensor);
    });
    let [da, dy, pre] = values.map(|values| check::wide(&values));
    let want = oracle(&da, &dy, activation, &pre);
    check::assert_norm(&format!("{activation:?} of {shape:?}"), &dx.floats(gpu), &want, 1e-5);
}

/// Sigmoid of zero is not zero: padding must be.
fn activations() -> impl Iterator<Item = Option<Activation>> {
    ACTIVATIONS.into_iter().chain([Some(Activation::Sigmoid)])
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    SHAPES.iter().for_each(|&shape| activations().for_each(|a| assert_forward(gpu, shape, a)));
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    SHAPES.iter().for_each(|&shape| activations().for_each(|a| assert_backward(gpu, shape, a)));
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let shape = [131, 5];
    let x = check::random(1, 131 * 5, -4.0..4.0);
    let want: Vec<_> = x.iter().map(|x| x + x).collect();
    let inputs = [(); 3].map(|()| maps::ample_input(gpu, shape, &x));
    let results = [(); 2].map(|()| Guarded::roomy(gpu, &shape));
    let [pre, y] = results.each_ref().map(|result| &result.tensor);
    let params = json!({ "count": 262, "columns": 5 });
    let tensors = [("a", &inputs[0]), ("b", &inputs[1]), ("pre", pre), ("y", y)];
    maps::run_kernel(gpu, (&add::SHADER, "forward"), &[], &params, &tensors, 262);
    results.iter().for_each(|result| assert_eq!(result.floats(gpu), want));
    let dx = Guarded::roomy(gpu, &shape);
    let [da, dy, pre] = inputs.each_ref();
    let tensors = [("da", da), ("dy", dy), ("pre", pre), ("dx", &dx.tensor)];
    maps::run_kernel(gpu, (&add::SHADER, "backward"), &[], &params, &tensors, 262);
    assert_eq!(dx.floats(gpu), want);
}
