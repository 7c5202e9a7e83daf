use serde_json::json;
use vae_gpu::gpu::{Gpu, Tensor};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::dropout::{self, Mask};
use vae_gpu::ops::{State, Stream};

use crate::check::{self, Guarded};
use crate::common::golden::File;
use crate::maps::{self, ACTIVATIONS, SHAPES, activated, dot, times_slope};
use crate::noise::SEED;
use crate::threefry::threefry;

const MASK: Mask = Mask { probability: 0.3, seed: SEED, layer: 7 };
const STEP: u32 = 5;

/// The factors of elements.
fn scaled(probability: f64, dropped: impl IntoIterator<Item = bool>) -> Vec<f64> {
    let factor = |dropped| if dropped { 0.0 } else { 1.0 / (1.0 - probability) };
    dropped.into_iter().map(factor).collect()
}

/// The same for those of `shape`: those are dropped whose 32 bits, as a fraction, are below the
/// probability. A draw serves four neighbours in a row.
fn factors(mask: &Mask, step: u32, [rows, columns]: [usize; 2]) -> Vec<f64> {
    let key = [mask.seed as u32, (mask.seed >> 32) as u32, 0, Stream::Dropout as u32];
    let quads = columns.div_ceil(4);
    let dropped = |row: usize, column: usize| {
        let words = threefry([(row * quads + column / 4) as u32, step, mask.layer, 0], key);
        let fraction = f64::from(words[column % 4]) / 2f64.powi(32);
        // The threshold is a whole number of 2⁻³².
        let threshold = (mask.probability * 2f64.powi(32)).floor() / 2f64.powi(32);
        fraction < threshold
    };
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| dropped(row, column)));
    scaled(mask.probability, all)
}

fn products(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

fn state(gpu: &Gpu, step: u32) -> Tensor {
    let state = State::tensor("state");
    State { step, epoch: 77, row: 88, ..State::default() }.write(gpu, &state);
    state
}

fn run_forward(gpu: &Gpu, mask: &Mask, step: u32, shape: [usize; 2], x: &[f32]) -> Vec<f32> {
    let (state, on_x, y) =
        (state(gpu, step), check::input(gpu, &shape, x), Guarded::new(gpu, &shape));
    check::run(gpu, |recording| {
        dropout::forward(recording, "test", mask, &state, &on_x, &y.tensor)
    });
    y.floats(gpu)
}

/// The factors themselves, by the adapter.
fn draw(gpu: &Gpu, mask: &Mask, step: u32, shape: [usize; 2]) -> Vec<f32> {
    run_forward(gpu, mask, step, shape, &vec![1.0; shape[0] * shape[1]])
}

fn assert_forward(gpu: &Gpu, shape: [usize; 2], mask: &Mask, step: u32) {
    let x = check::random(1, shape[0] * shape[1], -1.0..1.0);
    let want = products(&check::wide(&x), &factors(mask, step, shape));
    let got = run_forward(gpu, mask, step, shape, &x);
    // Two roundings; what is dropped is zero.
    check::assert_each(&format!("{shape:?}, {mask:?}"), &got, &want, 2e-7, 0.0);
}

fn assert_backward(gpu: &Gpu, shape: [usize; 2], activation: Option<Activation>) {
    let [dy, pre] = [1, 2].map(|seed| check::random(seed, shape[0] * shape[1], -2.0..2.0));
    let [on_dy, on_pre] = [&dy, &pre].map(|values| check::input(gpu, &shape, values));
    let (state, dx) = (state(gpu, STEP), Guarded::new(gpu, &shape));
    check::run(gpu, |recording| {
        let origin = maps::origin(activation, &on_pre);
        dropout::backward(recording, "test", &MASK, &state, &on_dy, &origin, &dx.tensor);
    });
    let kept = products(&check::wide(&dy), &factors(&MASK, STEP, shape));
    let want = times_slope(kept, activation, &check::wide(&pre));
    check::assert_norm(&format!("{shape:?}, {activation:?}"), &dx.floats(gpu), &want, 1e-5);
}

#[test]
fn oracle_is_the_gradient() {
    let shape = [7, 5];
    let [pre, dy] = [1, 2].map(|seed| check::wide(&check::random(seed, 35, -2.0..2.0)));
    let factors = factors(&MASK, STEP, shape);
    for activation in ACTIVATIONS {
        let loss = |pre: &[f64]| dot(&dy, &products(&activated(activation, pre), &factors));
        let gradient = times_slope(products(&dy, &factors), activation, &pre);
        check::assert_gradient(&format!("{activation:?}"), loss, &pre, &gradient);
    }
}

/// With PyTorch's draws, which its zeros show.
#[test]
fn oracle_is_pytorchs() {
    let file = File::read("dropout.safetensors");
    let cases = file.names().iter().filter(|name| name.ends_with(".probability")).count();
    assert!(cases > 0);
    for i in 0..cases {
        let get = |name: &str| file.floats(&format!("{i}.{name}"));
        let (probability, y) = (get("probability")[0], get("y"));
        let factors = scaled(probability, y.iter().map(|y| *y == 0.0));
        maps::assert_close(&format!("{probability}: y"), &products(&get("x"), &factors), &y);
        let dx = products(&get("dy"), &factors);
        maps::assert_close(&format!("{probability}: dx"), &dx, &get("dx"));
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for shape in SHAPES {
        for (probability, step) in [(0.3, STEP), (0.0, 0), (0.5, u32::MAX), (1.0 - 1e-10, 1)] {
            assert_forward(gpu, shape, &Mask { probability, ..MASK }, step);
        }
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    let cases = SHAPES.into_iter().flat_map(|shape| ACTIVATIONS.map(|a| (shape, a)));
    cases.for_each(|(shape, activation)| assert_backward(gpu, shape, activation));
}

#[test]
fn without_a_probability_nothing_is_dropped() {
    let Some(gpu) = check::gpu() else { return };
    let none = Mask { probability: 0.0, ..MASK };
    assert_eq!(draw(gpu, &none, STEP, [257, 63]), [1.0; 257 * 63]);
}

#[test]
fn an_image_does_not_depend_on_how_many_there_are() {
    let Some(gpu) = check::gpu() else { return };
    let all = draw(gpu, &MASK, STEP, [257, 63]);
    for rows in [1, 2, 64, 256] {
        assert_eq!(draw(gpu, &MASK, STEP, [rows, 63]), all[..63 * rows], "the first {rows}");
    }
}

/// Panics unless `successes` of `count` are as likely as `probability` says, to four standard errors.
fn assert_share(what: &str, successes: usize, count: usize, probability: f64) {
    let (successes, n) = (successes as f64, count as f64);
    let error = (successes - n * probability) / (n * probability * (1.0 - probability)).sqrt();
    assert!(error.abs() < 4.0, "{what}: {error} standard errors off");
}

#[test]
fn as_many_are_dropped_as_shall_be() {
    let Some(gpu) = check::gpu() else { return };
    let shape = [1000, 1000];
    for probability in [0.001, 0.1, 0.5, 0.9] {
        let mask = Mask { probability, ..MASK };
        let dropped: Vec<_> = draw(gpu, &mask, STEP, shape).iter().map(|&f| f == 0.0).collect();
        let count = |dropped: &mut dyn Iterator<Item = bool>| dropped.filter(|&d| d).count();
        let all = count(&mut dropped.iter().copied());
        assert_share(&format!("{probability}"), all, dropped.len(), probability);
        // Neighbours across and down, of one draw and of several.
        for lag in [1, 2, 3, 4, 5, 1000] {
            let pairs = dropped.iter().zip(&dropped[lag..]);
            let both = count(&mut pairs.map(|(a, b)| a & b));
            let what = format!("{probability}, lag {lag}");
            assert_share(&what, both, dropped.len() - lag, probability.powi(2));
        }
    }
}

#[test]
fn seeds_layers_and_steps_draw_apart() {
    let Some(gpu) = check::gpu() else { return };
    let (probability, shape) = (0.5, [100, 1000]);
    let draws = [(1, 0, 0), (1, 1, 0), (1, 2, 0), (1, 0, 1), (1, 0, 2), (2, 0, 0), (1 << 32, 0, 0)];
    let masks =
        draws.map(|(seed, layer, step)| draw(gpu, &Mask { probability, seed, layer }, step, shape));
    for a in 0..draws.len() {
        for b in 0..a {
            let equal = masks[a].iter().zip(&masks[b]).filter(|(a, b)| a == b).count();
            assert_share(&format!("{:?} and {:?}", draws[a], draws[b]), equal, 100_000, 0.5);
        }
    }
    let mask = Mask { probability, seed: 1, layer: 0 };
    assert_eq!(draw(gpu, &mask, 0, shape), masks[0], "the same again");
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let shape = [131, 5];
    let x = check::random(1, 131 * 5, -4.0..4.0);
    let [on_x, on_pre] = [(); 2].map(|()| maps::ample_input(gpu, shape, &x));
    let state = state(gpu, STEP);
    // Nothing is dropped, and the scale is one.
    let params = json!({
        "count": 262, "seed_low": 1, "seed_high": 2, "stream": 3, "layer": 4,
        "threshold": 0, "scale": 1.0,
    });
    for (entry, inputs, output) in [
        ("forward", &[("x", &on_x)][..], "y"),
        ("backward", &[("dy", &on_x), ("pre", &on_pre)], "dx"),
    ] {
        let result = Guarded::roomy(gpu, &shape);
        let tensors = [inputs, &[("state", &state), (output, &result.tensor)]].concat();
        maps::run_kernel(gpu, (&dropout::SHADER, entry), &[], &params, &tensors, 262);
        assert_eq!(result.floats(gpu), x, "{entry}");
    }
}
