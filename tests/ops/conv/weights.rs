//! The gradients of weights and biases.

use vae_gpu::gpu::{Gpu, Plan, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::conv::{self, WeightGradient};
use vae_gpu::ops::optimizer::{self, Optimizer};

use super::{Layer, assert_form, run};
use crate::check::{self, MARGIN, POISON};

/// Where a layer's weight and bias begin among the parameters, and the words of all with poison
/// before, between and behind them.
fn places(layers: &[Layer]) -> (Vec<[usize; 2]>, usize) {
    let mut words = MARGIN;
    let mut place = |len: usize| {
        let at = words;
        words += len.next_multiple_of(Tensor::ALIGNMENT) + MARGIN;
        at
    };
    let all = layers.iter().map(|layer| {
        let [rows, columns] = layer.weight_shape();
        [place(rows * columns), place(layer.outputs)]
    });
    (all.collect(), words)
}

pub fn run(gpu: &Gpu, layers: &[Layer], words: Option<&str>) {
    let mut plan = run::plan(gpu, "conv.backward_weight", layers, words);
    let (places, length) = places(layers);
    let gradients = Tensor::new(gpu, "gradients", &[length], &vec![POISON; length]);
    let mut margins = vec![plan.vector(MARGIN)];
    let mut map = |rows, columns| {
        let tensor = plan.matrix(&[rows, columns]);
        margins.push(plan.vector(MARGIN));
        tensor
    };
    let maps: Vec<[Tensor; 2]> = layers
        .iter()
        .map(|layer| {
            let [x_rows, y_rows] = layer.rows();
            [map(y_rows, layer.outputs), map(x_rows, layer.input[0])]
        })
        .collect();
    let tasks = layers.iter().zip(&maps).zip(&places).map(|((layer, [dy, x]), at)| {
        let [small, large] = if layer.transposed { [x, dy] } else { [dy, x] };
        WeightGradient {
            geometry: layer.geometry().unwrap(),
            small: small.clone(),
            large: large.clone(),
            transposed: layer.transposed,
            weight: gradients.view_matrix(at[0], &layer.weight_shape()),
            bias: gradients.view(at[1], &[layer.outputs]),
        }
    });
    conv::backward_weight(&mut plan, "test", &tasks.collect::<Vec<_>>(), &gradients);
    margins.iter().for_each(|margin| margin.write(gpu, &[POISON; MARGIN]));
    let wants: Vec<_> = layers
        .iter()
        .zip(&maps)
        .zip(1..)
        .map(|((layer, maps), seed)| {
            let [dy, x] = [0, 1].map(|i| {
                let values = check::random(2 * seed + i as u64, maps[i].len(), -1.0..1.0);
                maps[i].write(gpu, &values);
                check::wide(&values)
            });
            layer.backward_weight(&dy, &x)
        })
        .collect();
    plan.run();
    let mut got: Vec<u32> = gradients.read(gpu).unwrap();
    for ((layer, at), [dweight, dbias]) in layers.iter().zip(places).zip(&wants) {
        let what = format!("{layer:?}, {words:?}");
        let mut take = |at: usize| f32::from_bits(std::mem::replace(&mut got[at], POISON));
        let weight: Vec<_> =
            (0..dweight.len()).map(|i| take(at[0] + layer.weight_place(i))).collect();
        check::assert_norm(&format!("dweight of {what}"), &weight, dweight, run::PRODUCT);
        let bias: Vec<_> = (0..dbias.len()).map(|i| take(at[1] + i)).collect();
        check::assert_norm(&format!("dbias of {what}"), &bias, dbias, run::PRODUCT);
        // What is left of them is padding.
        let [rows, columns] = layer.weight_shape();
        let ends = [rows * columns, layer.outputs.next_multiple_of(4)];
        for (at, end) in at.into_iter().zip(ends) {
            let padding = got[at..at + end].iter().filter(|&&word| word != POISON);
            assert!({ padding }.all(|&word| word == 0), "padding of {what}");
            got[at..at + end].fill(POISON);
        }
    }
    assert_eq!(got.iter().position(|&word| word != POISON), None, "written between {layers:?}");
}

#[test]
pub fn backward_weight() {
    for transposed in [false, true] {
        assert_form(transposed, |gpu, layer, words| run(gpu, &[*layer], words));
    }
}

/// Updating at once is updating from stored gradients, which [`backward_weight`] compares with the
/// oracle.
#[test]
pub fn backward_weight_step() {
    let Some(gpu) = check::gpu() else { return };
    let layers = [false, true].map(|transposed| super::layer(transposed, &super::FEW[0]).unwrap());
    let (places, length) = places(&layers);
    let optimizer = Optimizer::default();
    let initial = check::random(1, length, -1e-4..1e-4);
    let [at_once, stored] = [true, false].map(|at_once| {
        let mut plan = Plan::new(gpu);
        let zeros = || Tensor::zeros(gpu, "zeros", &[length]);
        let (parameter, gradient, moments) = (zeros(), zeros(), [zeros(), zeros()]);
        // Where no parameter is, nothing changes either way.
        let places = layers.iter().zip(&places);
        let layers = places.map(|(layer, at)| {
            let [x_rows, y_rows] = layer.rows();
            let x = plan.matrix(&[x_rows, layer.input[0]]);
            let dy = plan.matrix(&[y_rows, layer.outputs]);
            let [small, large] = if layer.transposed { [x, dy] } else { [dy, x] };
            WeightGradient {
                geometry: layer.geometry().unwrap(),
                small,
                large,
                transposed: layer.transposed,
                weight: parameter.view_matrix(at[0], &layer.weight_shape()),
                bias: parameter.view(at[1], &[layer.outputs]),
            }
        });
        let layers: Vec<_> = layers.collect();
        let (state, both) = (State::tensor(gpu, "state"), [&moments[0], &moments[1]]);
        let p = &mut plan;
        if at_once {
            conv::backward_weight_step(p, "test", &layers, &optimizer, &state, &parameter, both);
        } else {
            conv::backward_weight(p, "test", &layers, &gradient);
            optimizer::step(p, "test", &optimizer, &state, &gradient, None, &parameter, both);
        }
        parameter.write(gpu, &initial);
        for step in 0..3 {
            for (layer, seed) in layers.iter().zip(10 * u64::from(step)..) {
                for map in [&layer.small, &layer.large] {
                    map.write(gpu, &check::random(seed, map.len(), -1.0..1.0));
                }
            }
            State { step, ..State::default() }.write(gpu, &state);
            plan.run();
        }
        let [first, second] = moments;
        [parameter, first, second].map(|tensor| tensor.read::<f32>(gpu).unwrap())
    });
    let moved = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-3;
    assert!(stored[0].iter().zip(&initial).filter(|&p| moved(p)).count() > 1000, "nothing moved");
    for (at_once, stored) in at_once.iter().zip(&stored) {
        check::assert_norm("at once and from stored", at_once, &check::wide(stored), 1e-6);
    }
}

/// Some software adapters leave a loop after 65,535 rounds.
#[test]
fn depths_that_are_too_long_for_a_loop_are_cut() {
    let Some(gpu) = check::gpu() else { return };
    let arguments = (300_000, [16, 1, 1], 16, [1, 1, 0, 0]);
    run(gpu, &[super::layer(false, &arguments).unwrap()], Some("registers 1 1x1"));
}

/// Of depths and sizes of their own, and more than are added up in a dispatch.
#[test]
fn several_layers_at_once() {
    let Some(gpu) = check::gpu() else { return };
    let layers = |transposed| super::MANY.iter().filter_map(move |a| super::layer(transposed, a));
    let layers: Vec<_> = layers(false).chain(layers(true)).collect();
    assert!(2 * layers.len() > 32);
    run(gpu, &layers, None);
}
