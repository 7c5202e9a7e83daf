//! Gradients through graphs in which values and parameters are used several times, parameters are frozen,
//! and batches of different rows meet: against central differences of the same models in f64.

#[path = "../common/mod.rs"]
mod common;
mod layers;
mod oracle;
mod phases;
mod samples;

use std::sync::{Arc, OnceLock};

use vae_gpu::Gpu;
use vae_gpu::gpu::{Recording, Tensor};
use vae_gpu::nn::{
    Argument, Draws, Graph, Layer, Layout, Linear, OptimizerStep, ParameterSpec, Parameters, Shape,
    Sink, Sweep, Train, ValueId, Weights,
};
use vae_gpu::ops::State;
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::density::{PRODUCT, SQUARED_ERROR};
use vae_gpu::ops::optimizer::{Optimizer, Update};

use oracle::{Matrix, Values};

const ROWS: usize = 63;
const SIZE: usize = 5;

/// Linear layers called `names`, all with the same values.
fn parameters(gpu: &Gpu, names: &[&str]) -> Parameters {
    let layer = layer(None);
    parameters_of(
        gpu,
        names
            .iter()
            .flat_map(|name| layer.parameters().into_iter().map(move |spec| spec.within(name))),
    )
}

fn parameters_of(gpu: &Gpu, specs: impl IntoIterator<Item = ParameterSpec>) -> Parameters {
    let parameters = Parameters::zeros("parameters", &Arc::new(Layout::new(specs)));
    let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 101.0 - 0.45;
    let values: Vec<Vec<f32>> =
        parameters.layout().specs().map(|spec| (0..spec.len()).map(value).collect()).collect();
    parameters.write(gpu, &values);
    parameters
}

/// A model's weights of which nothing but `parameters` stays.
fn weights(parameters: &Parameters) -> Weights {
    let statistics = Parameters::zeros("none", &Arc::new(Layout::new([])));
    Weights { parameters: parameters.clone(), statistics }
}

fn layer(activation: Option<Activation>) -> Linear {
    Linear { inputs: SIZE, outputs: SIZE, activation }
}

fn inputs() -> Vec<f32> {
    (0..ROWS * SIZE).map(|i| ((i * 31 + 7) % 64) as f32 / 64.0 - 0.5).collect()
}

/// Records `model` on x, which returns values and the gradient that each element of them has, and returns
/// the gradients of the parameters and of x.
fn gradients(
    gpu: &Gpu,
    parameters: &Parameters,
    model: impl Fn(&mut Graph, ValueId) -> Vec<(ValueId, f32)>,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let (state, weights) = (State::tensor("state"), weights(parameters));
    let stored = Parameters::zeros("gradients", parameters.layout());
    let mut recording = Recording::new(gpu.report());
    let x = recording.matrix(&[ROWS, SIZE]);
    let training = Some(Draws { seed: 1, state: &state });
    let mut graph = Graph::new(&mut recording, &weights, training);
    let input = graph.variable(Shape::Features(SIZE), ROWS, x.clone());
    let seeds: Vec<_> = model(&mut graph, input)
        .into_iter()
        .map(|(y, gradient)| {
            let seed = Tensor::matrix("seed", &[graph.rows(y), graph.shape(y).values()]);
            seed.write(gpu, &vec![gradient; seed.len()]);
            (y, Some(seed))
        })
        .collect();
    let sweep =
        Sweep { seeds: &seeds, train: Train::All, sink: Sink::Store(&stored), variables: &[input] };
    let dx = graph.backward_last(&sweep).remove(0).expect("it depends on x");
    let mut plan = recording.compile(gpu);
    plan.poison(&recording, &[&x]);
    x.write(gpu, &inputs());
    plan.run();
    (stored.read(gpu).unwrap(), dx.read(gpu).unwrap())
}

/// Compares the gradients of `model` with differences of `loss`, a function of x and the parameters.
fn check(
    gpu: &Gpu,
    what: &str,
    names: &[&str],
    model: impl Fn(&mut Graph, ValueId) -> Vec<(ValueId, f32)>,
    loss: impl Fn(&Matrix, &Values) -> f64,
) {
    let layer = layer(None);
    let layers = names
        .iter()
        .flat_map(|name| layer.parameters().into_iter().map(move |spec| spec.within(name)));
    check_specs(gpu, what, layers, model, loss);
}

/// The same for parameters of `specs`.
fn check_specs(
    gpu: &Gpu,
    what: &str,
    specs: impl IntoIterator<Item = ParameterSpec>,
    model: impl Fn(&mut Graph, ValueId) -> Vec<(ValueId, f32)>,
    loss: impl Fn(&Matrix, &Values) -> f64,
) {
    let parameters = parameters_of(gpu, specs);
    let values: Values =
        parameters.read(gpu).unwrap().iter().map(|values| oracle::wide(values)).collect();
    let (gradient, dx) = gradients(gpu, &parameters, model);
    let x = oracle::matrix(&inputs(), SIZE);
    oracle::assert_close(what, &gradient, &oracle::differences(&values, |v| loss(&x, v)));
    let by_x = oracle::differences(&x, |x| loss(x, &values));
    let rows: Vec<_> = dx.chunks(SIZE).map(<[f32]>::to_vec).collect();
    oracle::assert_close(&format!("{what}, dx"), &rows, &by_x);
}

fn total(y: &Matrix) -> f64 {
    y.iter().flatten().sum()
}

#[test]
fn gradients_of_a_value_used_several_times_are_added() {
    let Some(gpu) = common::gpu() else { return };
    let activations = [None, Some(Activation::Relu), Some(Activation::Tanh)];
    let functions = [oracle::identity, oracle::relu, f64::tanh];
    for (activation, f) in activations.into_iter().zip(functions) {
        for uses in 1..=3 {
            let names = &["a", "b", "c", "d"][..=uses];
            let what = format!("{activation:?}, used {uses} times");
            let model = |graph: &mut Graph, x: ValueId| {
                let h = layer(activation).apply(graph, "a", &[x]);
                let last = names[1..].iter().map(|name| layer(None).apply(graph, name, &[h]));
                last.map(|y| (y, 1.0)).collect()
            };
            check(&gpu, &what, names, model, |x, values| {
                let h = oracle::linear(x, values, 0, f);
                let y = (1..=uses).map(|i| oracle::linear(&h, values, i, oracle::identity));
                y.map(|y| total(&y)).sum()
            });
        }
    }
}

#[test]
fn a_weight_used_several_times_gets_the_sum_of_its_gradients() {
    let Some(gpu) = common::gpu() else { return };
    let tanh = layer(Some(Activation::Tanh));
    let twice = |graph: &mut Graph, x| {
        let h = tanh.apply(graph, "a", &[x]);
        vec![(tanh.apply(graph, "a", &[h]), 1.0)]
    };
    check(&gpu, "twice in a chain", &["a"], twice, |x, values| {
        total(&oracle::linear(&oracle::linear(x, values, 0, f64::tanh), values, 0, f64::tanh))
    });
    // By two layers beside each other, of different rows.
    let beside = |graph: &mut Graph, x| {
        let h = tanh.apply(graph, "a", &[x]);
        let many = graph.repeat("b", h, 3);
        [h, many].map(|h| (tanh.apply(graph, "b", &[h]), 0.5)).to_vec()
    };
    check(&gpu, "by two layers", &["a", "b"], beside, |x, values| {
        let h = oracle::linear(x, values, 0, f64::tanh);
        0.5 * 4.0 * total(&oracle::linear(&h, values, 1, f64::tanh))
    });
}

/// Three noisy copies of each row go through one chain and meet, as nats, a term of the rows themselves.
#[test]
fn batches_of_different_rows_meet() {
    let Some(gpu) = common::gpu() else { return };
    const COPIES: usize = 3;
    let noise: Vec<f32> =
        (0..COPIES * ROWS * SIZE).map(|i| ((i * 17 + 3) % 50) as f32 / 25.0 - 1.0).collect();
    let tanh = layer(Some(Activation::Tanh));
    let on_noise = Tensor::matrix("noise", &[COPIES * ROWS, SIZE]);
    on_noise.write(&gpu, &noise);
    let (many, one) = (0.7 / (COPIES * ROWS) as f32, 0.2 / ROWS as f32);
    let model = |graph: &mut Graph, x: ValueId| {
        let h = tanh.apply(graph, "a", &[x]);
        let copies = graph.repeat("h", h, COPIES);
        let noise = graph.input(Shape::Features(SIZE), COPIES * ROWS, on_noise.clone());
        let noisy = graph.map("h", &PRODUCT, &[], &[copies.into(), noise.into()]);
        let y = tanh.apply(graph, "b", &[noisy]);
        let target = graph.repeat("x", x, COPIES);
        let apart = graph.row_sums("y", &SQUARED_ERROR, &[], &[y.into(), target.into()]);
        let own = graph.row_sums("h", &SQUARED_ERROR, &[], &[h.into(), x.into()]);
        vec![(apart, many), (own, one)]
    };
    let wide_noise = oracle::matrix(&noise, SIZE);
    let repeated = |h: &Matrix| -> Matrix {
        h.iter().flat_map(|row| std::iter::repeat_n(row.clone(), COPIES)).collect()
    };
    check(&gpu, "k rows and one", &["a", "b"], model, |x, values| {
        let h = oracle::linear(x, values, 0, f64::tanh);
        let mut noisy = repeated(&h);
        for (row, noise) in noisy.iter_mut().zip(&wide_noise) {
            row.iter_mut().zip(noise).for_each(|(h, noise)| *h *= noise);
        }
        let y = oracle::linear(&noisy, values, 1, f64::tanh);
        let apart: f64 = oracle::squared_errors(&y, &repeated(x)).iter().sum();
        let own: f64 = oracle::squared_errors(&h, x).iter().sum();
        f64::from(many) * apart + f64::from(one) * own
    });
}

/// No gradient goes into what is detached, not even where it is the same memory.
#[test]
fn detached_values_are_data() {
    let Some(gpu) = common::gpu() else { return };
    let tanh = layer(Some(Activation::Tanh));
    let model = |graph: &mut Graph, x: ValueId| {
        let h = tanh.apply(graph, "a", &[x]);
        let fixed = graph.detach(h);
        vec![(graph.row_sums("h", &PRODUCT, &[], &[h.into(), fixed.into()]), 1.0)]
    };
    let parameters = parameters(&gpu, &["a"]);
    let values: Values =
        parameters.read(&gpu).unwrap().iter().map(|values| oracle::wide(values)).collect();
    let (gradient, _) = gradients(&gpu, &parameters, model);
    let x = oracle::matrix(&inputs(), SIZE);
    let fixed = oracle::linear(&x, &values, 0, f64::tanh);
    let want = oracle::differences(&values, |values| {
        let h = oracle::linear(&x, values, 0, f64::tanh);
        h.iter().flatten().zip(fixed.iter().flatten()).map(|(h, fixed)| h * fixed).sum()
    });
    oracle::assert_close("detached", &gradient, &want);
}

#[test]
fn frozen_parameters_keep_their_bits_and_pass_gradients_on() {
    let Some(gpu) = common::gpu() else { return };
    let (all, layer) = (parameters(&gpu, &["a", "b"]), layer(Some(Activation::Tanh)));
    let before = all.read(&gpu).unwrap();
    let (state, weights) = (State::tensor("state"), weights(&all));
    let moments = ["first", "second"].map(|name| Parameters::zeros(name, all.layout()));
    let (optimizer, gradients) = (Optimizer::default(), OnceLock::new());
    let mut recording = Recording::new(gpu.report());
    let [x, seed] = [(); 2].map(|()| recording.matrix(&[ROWS, SIZE]));
    let training = Some(Draws { seed: 1, state: &state });
    let mut graph = Graph::new(&mut recording, &weights, training);
    let input = graph.input(Shape::Features(SIZE), ROWS, x.clone());
    let h = layer.apply(&mut graph, "a", &[input]);
    let y = layer.apply(&mut graph, "b", &[h]);
    let update = Update {
        optimizer: &optimizer,
        state: &state,
        parameter: all.arena(),
        moments: [moments[0].arena(), moments[1].arena()],
    };
    graph.backward_last(&Sweep {
        seeds: &[(y, Some(seed.clone()))],
        train: Train::Only(&["a".into()]),
        sink: Sink::Step(OptimizerStep {
            label: "step",
            update,
            clip_norm: None,
            store: false,
            gradients: &gradients,
        }),
        variables: &[],
    });
    let plan = recording.compile(&gpu);
    x.write(&gpu, &[0.25f32; ROWS * SIZE]);
    seed.write(&gpu, &[1.0f32; ROWS * SIZE]);
    plan.run();
    let after = all.read(&gpu).unwrap();
    assert_ne!(before[..2], after[..2], "the gradient passes through the frozen layer");
    assert_eq!(before[2..], after[2..], "the frozen layer keeps its bits");
}

/// A parameter that formulas take, several of them and one that a layer has as well.
#[test]
fn parameters_of_formulas_get_every_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let tanh = layer(Some(Activation::Tanh));
    let model = |graph: &mut Graph, x: ValueId| {
        let [bias] = graph.parameters("a", ["scale"]);
        let scale = Argument::Parameter(bias);
        let once = graph.map("once", &PRODUCT, &[], &[x.into(), scale.clone()]);
        let h = tanh.apply(graph, "b", &[once]);
        let twice = graph.map("twice", &PRODUCT, &[], &[h.into(), scale]);
        vec![(once, 0.25), (twice, 1.0)]
    };
    let scale = ParameterSpec::constant("a.scale", &[1], 0.0);
    let specs = layer(None).parameters().into_iter().map(|spec| spec.within("b"));
    check_specs(&gpu, "formulas", specs.chain([scale]), model, |x, values| {
        let scale = values[2][0];
        let scaled = |x: &Matrix| -> Matrix {
            x.iter().map(|row| row.iter().map(|x| scale * x).collect()).collect()
        };
        let once = scaled(x);
        0.25 * total(&once) + total(&scaled(&oracle::linear(&once, values, 0, f64::tanh)))
    });
    // A linear layer of one output, whose bias alone is used elsewhere.
    let narrow = Linear { inputs: SIZE, outputs: 1, activation: None };
    let model = |graph: &mut Graph, x: ValueId| {
        let y = narrow.apply(graph, "a", &[x]);
        let [bias] = graph.parameters("a", ["bias"]);
        vec![(graph.map("y", &PRODUCT, &[], &[y.into(), Argument::Parameter(bias)]), 1.0)]
    };
    let specs = narrow.parameters().into_iter().map(|spec| spec.within("a"));
    check_specs(&gpu, "bias alone", specs, model, |x, values| {
        values[1][0] * total(&oracle::linear(x, values, 0, oracle::identity))
    });
}

/// Values of rows go for all of an example's, whatever the order of the arguments; columns of maps are
/// maps; one value is taken in two ways.
#[test]
fn arguments_may_be_rows_channels_and_both() {
    let Some(gpu) = common::gpu() else { return };
    let wide = Linear { inputs: SIZE, outputs: 8, activation: None };
    let names = wide.parameters().into_iter().map(|spec| spec.within("a"));
    let model = |graph: &mut Graph, x: ValueId| {
        let h = wide.apply(graph, "a", &[x]);
        let map = reshape(graph, h, Shape::map(2, 2, 2));
        let halves = [0..1, 1..2].map(|channel| Argument::Columns(map, channel));
        let product = graph.map("product", &PRODUCT, &[], &halves);
        let many = graph.repeat("many", product, 3);
        let norm =
            graph.row_sums("norm", &SQUARED_ERROR, &[], &[x.into(), Argument::Columns(h, 0..SIZE)]);
        let rows = graph.repeat("rows", norm, 3);
        let first = graph.row_sums("first", &PRODUCT, &[], &[Argument::PerRow(rows), many.into()]);
        let own = graph.map("own", &PRODUCT, &[], &[norm.into(), Argument::PerRow(norm)]);
        vec![(first, 0.5), (own, 0.01)]
    };
    check_specs(&gpu, "rows and channels", names, model, |x, values| {
        let h = oracle::linear(x, values, 0, oracle::identity);
        let row = |(x, h): (&Vec<f64>, &Vec<f64>)| {
            let norm: f64 = x.iter().zip(h).map(|(x, h)| (x - h).powi(2)).sum();
            let product: f64 = (0..4).map(|i| h[i] * h[i + 4]).sum();
            0.5 * 3.0 * norm * product + 0.01 * norm * norm
        };
        x.iter().zip(&h).map(row).sum()
    });
}

/// h (rows, 8) as maps of two channels.
fn reshape(graph: &mut Graph, h: ValueId, map: Shape) -> ValueId {
    let rows = graph.rows(h);
    graph.unary(
        "map",
        h,
        (map, rows),
        |recording, x, y| vae_gpu::ops::reshape::unflatten(recording, "map", x, None, y),
        |recording, label, dy, origin, dx| {
            vae_gpu::ops::reshape::flatten(recording, label, dy, Some(origin), dx);
        },
    )
}
