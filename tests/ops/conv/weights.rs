//! The gradients of weights and biases, stored or put to use at once.

use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::conv::{self, WeightGradient};
use vae_gpu::ops::matmul::Product;
use vae_gpu::ops::optimizer::{Optimizer, Update};

use super::run::PRODUCT;
use super::{FEW, Layer, MANY, assert_form, run};
use crate::check::{self, POISON};
use crate::matmul::arena::{Arena, Sides, one_sign};
use crate::optimizer;

/// Of dy and x of every layer, of the recording's own memory.
fn sides(recording: &Recording, layers: &[Layer]) -> Sides {
    let shapes = layers.iter().map(|layer| {
        let [x_rows, y_rows] = layer.rows();
        [[y_rows, layer.outputs], [x_rows, layer.input[0]]]
    });
    Sides::new(recording, shapes)
}

/// A row for each tap of a weight's rows, since each is padded.
fn arena(layers: &[Layer]) -> Arena {
    Arena::new(layers.iter().map(|layer| (layer.tap_rows(), layer.outputs)))
}

fn tasks(
    layers: &[Layer],
    sides: &Sides,
    arena: &Arena,
    parameters: &Tensor,
) -> Vec<WeightGradient> {
    let task = |(i, (layer, [dy, x])): (usize, (&Layer, &[Tensor; 2]))| {
        let [weight, bias] = arena.layer(parameters, i);
        WeightGradient {
            geometry: layer.geometry().unwrap(),
            dy: dy.clone(),
            x: x.clone(),
            weight: weight.view_matrix(0, &layer.weight_shape()),
            bias,
        }
    };
    layers.iter().zip(&sides.layers).enumerate().map(task).collect()
}

/// The gradients that dy and x of every layer make, as they lie on the adapter.
fn gradients(layers: &[Layer], sides: &[[Vec<f32>; 2]]) -> Vec<Vec<f64>> {
    let one = |(layer, [dy, x]): (&Layer, &[Vec<f32>; 2])| {
        let [dweight, dbias] = layer.backward_weight(&check::wide(dy), &check::wide(x));
        [layer.laid_out(&dweight), dbias]
    };
    layers.iter().zip(sides).flat_map(one).collect()
}

/// The kernels', by dy and x of every layer.
pub fn stored(
    gpu: &Gpu,
    layers: &[Layer],
    words: Option<&str>,
    values: &[[Vec<f32>; 2]],
) -> Vec<Vec<f32>> {
    let mut recording = run::recording(gpu, Product::BackwardWeight, layers, words);
    let (sides, arena) = (sides(&recording, layers), arena(layers));
    let stored = arena.upload(gpu, &vec![POISON; arena.len()]);
    conv::backward_weight(&mut recording, "test", &tasks(layers, &sides, &arena, &stored), &stored);
    let plan = recording.compile(gpu);
    sides.write(gpu, values);
    plan.run();
    arena.read(gpu, &stored)
}

pub fn run(gpu: &Gpu, layers: &[Layer], words: Option<&str>) {
    let values = layers.iter().zip((1..).step_by(2)).map(|(layer, seed)| {
        let [x_rows, y_rows] = layer.rows();
        let dy = check::random(seed, y_rows * layer.outputs, -1.0..1.0);
        [dy, check::random(seed + 1, x_rows * layer.input[0], -1.0..1.0)]
    });
    let values: Vec<_> = values.collect();
    let got = stored(gpu, layers, words, &values);
    for (i, (got, want)) in got.iter().zip(gradients(layers, &values)).enumerate() {
        let what = format!("{} of {:?}, {words:?}", ["dweight", "dbias"][i % 2], layers[i / 2]);
        check::assert_norm(&what, got, &want, PRODUCT);
    }
}

/// Three steps, each from maps of its own, against convolutions and optimizers in f64.
fn run_step(gpu: &Gpu, layers: &[Layer], optimizer: &Optimizer) {
    let mut recording = Recording::new(gpu.report());
    let (sides, arena) = (sides(&recording, layers), arena(layers));
    // Small parameters, so that their own rounding does not hide that of the updates.
    let initial = check::random(1, arena.len(), 1e-4..2e-4);
    let filled = |values: &[f32]| arena.upload(gpu, bytemuck::cast_slice(values));
    let parameter = filled(&initial);
    let second = optimizer.rule.initial_second_moment() as f32;
    let moments = [0.0, second].map(|moment| filled(&vec![moment; arena.len()]));
    let state = State::tensor("state");
    let tasks = tasks(layers, &sides, &arena, &parameter);
    let both = [&moments[0], &moments[1]];
    let update = Update { optimizer, state: &state, parameter: &parameter, moments: both };
    conv::backward_weight_step(&mut recording, "test", &tasks, &update);
    let plan = recording.compile(gpu);

    let mut oracle = optimizer::Oracle::new(*optimizer, &initial);
    for step in 0..3 {
        let values = sides.fill(gpu, step.into(), one_sign(step));
        optimizer::write_state(gpu, &state, step);
        plan.run();
        oracle.step(step, &gradients(layers, &values).concat());
        let got = arena.read(gpu, &parameter).concat();
        let what = format!("{layers:?}, {optimizer:?}, step {step}");
        optimizer::assert_updates(&what, &initial, &got, &oracle.parameter);
    }
    let [first, second] = moments.map(|moment| arena.read(gpu, &moment).concat());
    check::assert_norm(&format!("{optimizer:?}, first"), &first, &oracle.first, PRODUCT);
    check::assert_norm(&format!("{optimizer:?}, second"), &second, &oracle.second, PRODUCT);
}

#[test]
pub fn backward_weight() {
    for transposed in [false, true] {
        assert_form(transposed, |gpu, layer, words| run(gpu, &[*layer], words));
    }
}

/// Of sizes of their own, convolutions and transposed ones.
fn several(arguments: &[super::Arguments]) -> Vec<Layer> {
    let layers = |transposed| arguments.iter().filter_map(move |a| super::layer(transposed, a));
    layers(false).chain(layers(true)).collect()
}

#[test]
pub fn backward_weight_step() {
    let Some(gpu) = check::gpu() else { return };
    for rule in optimizer::rules(0.5) {
        run_step(gpu, &several(&FEW), &optimizer::constant(rule));
    }
    run_step(gpu, &more_than_a_dispatch(), &Optimizer::default());
}

/// Some software adapters leave a loop after 65,535 rounds.
#[test]
fn depths_that_are_too_long_for_a_loop_are_cut() {
    let Some(gpu) = check::gpu() else { return };
    let arguments = (300_000, [16, 1, 1], 16, super::square([1, 1, 0, 0]));
    run(gpu, &[super::layer(false, &arguments).unwrap()], Some("registers 1 1x1"));
}

/// Layers with more sums than are added up in a dispatch.
fn more_than_a_dispatch() -> Vec<Layer> {
    let layers = several(&MANY);
    assert!(2 * layers.len() > 32);
    layers
}

#[test]
fn several_layers_at_once() {
    let Some(gpu) = check::gpu() else { return };
    run(gpu, &more_than_a_dispatch(), None);
}
