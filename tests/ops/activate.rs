use serde_json::json;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::activate;
use vae_gpu::ops::activation::Activation;

use crate::check::{self, Guarded};
use crate::maps::{self, SHAPES, activated, times_slope};

fn assert_forward(gpu: &Gpu, shape: [usize; 2], activation: Option<Activation>) {
    let x = check::random(1, shape[0] * shape[1], -4.0..4.0);
    let (on_x, y) = (check::input(gpu, &shape, &x), Guarded::new(gpu, &shape));
    check::run(gpu, |recording| activate::forward(recording, "test", &on_x, activation, &y.tensor));
    let want = activated(activation, &check::wide(&x));
    check::assert_norm(&format!("{activation:?} of {shape:?}"), &y.floats(gpu), &want, 1e-5);
}

fn assert_backward(gpu: &Gpu, shape: [usize; 2], activation: Option<Activation>) {
    let [dy, pre] = [1, 2].map(|seed| check::random(seed, shape[0] * shape[1], -4.0..4.0));
    let [on_dy, on_pre] = [&dy, &pre].map(|values| check::input(gpu, &shape, values));
    let dx = Guarded::new(gpu, &shape);
    let origin = maps::origin(activation, &on_pre);
    check::run(gpu, |recording| activate::backward(recording, "test", &on_dy, &origin, &dx.tensor));
    let want = times_slope(check::wide(&dy), activation, &check::wide(&pre));
    check::assert_norm(&format!("{activation:?} of {shape:?}"), &dx.floats(gpu), &want, 1e-5);
}

fn activations() -> impl Iterator<Item = Option<Activation>> {
    Activation::ALL.into_iter().map(Some).chain([None])
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
    let [on_x, on_pre] = [(); 2].map(|()| maps::ample_input(gpu, shape, &x));
    let params = json!({ "count": 262, "columns": 5 });
    for (entry, inputs, output) in [
        ("forward", &[("x", &on_x)][..], "y"),
        ("backward", &[("dy", &on_x), ("pre", &on_pre)], "dx"),
    ] {
        let result = Guarded::roomy(gpu, &shape);
        let tensors = [inputs, &[(output, &result.tensor)]].concat();
        maps::run_kernel(gpu, (&activate::SHADER, entry), &[], &params, &tensors, 262);
        assert_eq!(result.floats(gpu), x, "{entry}");
    }
}
