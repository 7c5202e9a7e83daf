//! Gradients through a graph in which values and parameters are used several times, and parameters are
//! frozen: against those of graphs in which each is used once.

mod common;

use std::sync::{Arc, OnceLock};

use vae_gpu::Gpu;
use vae_gpu::gpu::Recording;
use vae_gpu::nn::{
    Draws, Graph, Layer, Layout, Linear, Parameters, Shape, Sink, Step, Sweep, Train, ValueId,
};
use vae_gpu::ops::State;
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::optimizer::{Optimizer, Update};

const ROWS: usize = 63;
const SIZE: usize = 5;

/// Linear layers called `names`, all with the same values.
fn parameters(gpu: &Gpu, names: &[&str]) -> Parameters {
    let layer = layer(None);
    let specs = names
        .iter()
        .flat_map(|name| layer.parameters().into_iter().map(move |spec| spec.within(name)));
    let parameters = Parameters::zeros("parameters", &Arc::new(Layout::new(specs)));
    let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 101.0 - 0.45;
    let values: Vec<Vec<f32>> =
        parameters.layout().specs().map(|spec| (0..spec.len()).map(value).collect()).collect();
    parameters.write(gpu, &values);
    parameters
}

fn layer(activation: Option<Activation>) -> Linear {
    Linear { inputs: SIZE, outputs: SIZE, activation }
}

/// Records `model` on x, sweeps back from what it returns with a gradient of ones, and returns the
/// gradients of the parameters and of x.
fn gradients(
    gpu: &Gpu,
    parameters: &Parameters,
    model: impl Fn(&mut Graph, ValueId) -> Vec<ValueId>,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let (state, none) =
        (State::tensor("state"), Parameters::zeros("none", &Arc::new(Layout::new([]))));
    let stored = Parameters::zeros("gradients", parameters.layout());
    let mut recording = Recording::new(gpu.report());
    let x = recording.matrix(&[ROWS, SIZE]);
    let seed = recording.matrix(&[ROWS, SIZE]);
    let training = Some(Draws { seed: 1, state: &state });
    let mut graph = Graph::new(&mut recording, parameters, &none, training);
    let input = graph.variable(Shape::Features(SIZE), ROWS, x.clone());
    let seeds: Vec<_> =
        model(&mut graph, input).into_iter().map(|y| (y, Some(seed.clone()))).collect();
    let sweep =
        Sweep { seeds: &seeds, train: Train::All, sink: Sink::Store(&stored), variables: &[input] };
    let dx = graph.backward_last(&sweep).remove(0).expect("it depends on x");
    let plan = recording.compile(gpu);
    let values = (0..ROWS * SIZE).map(|i| ((i * 31 + 7) % 64) as f32 / 64.0 - 0.5);
    x.write(gpu, &values.collect::<Vec<f32>>());
    seed.write(gpu, &[1.0f32; ROWS * SIZE]);
    plan.run();
    (stored.read(gpu).unwrap(), dx.read(gpu).unwrap())
}

fn assert_close(what: &str, got: &[f32], want: &[f32]) {
    let scale = want.iter().fold(1e-3f32, |most, w| most.max(w.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-5 * scale, "{what}: {got}, not {want}");
    }
    assert!(want.iter().any(|w| *w != 0.0), "{what}: nothing to compare");
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[test]
fn gradients_of_a_value_used_several_times_are_added() {
    let Some(gpu) = common::gpu() else { return };
    for activation in [None, Some(Activation::Relu), Some(Activation::Tanh)] {
        let parameters = parameters(&gpu, &["a", "b", "c", "d"]);
        let [first, last] = [layer(activation), layer(None)];
        let through = |names: &'static [&'static str]| {
            gradients(&gpu, &parameters, |graph, x| {
                let h = first.apply(graph, "a", &[x]);
                names.iter().map(|name| last.apply(graph, name, &[h])).collect()
            })
        };
        let [b, c, d] = [through(&["b"]), through(&["c"]), through(&["d"])];
        let (two, three) = (through(&["b", "c"]), through(&["b", "c", "d"]));
        assert_close("dx of two", &two.1, &sum(&b.1, &c.1));
        assert_close("dx of three", &three.1, &sum(&two.1, &d.1));
        // The layer before the fork; then those behind it, each with its own.
        assert_close("dweight of two", &two.0[0], &sum(&b.0[0], &c.0[0]));
        assert_close("dweight of three", &three.0[0], &sum(&two.0[0], &d.0[0]));
        assert_close("dweight behind the fork", &three.0[2], &b.0[2]);
    }
}

#[test]
fn a_weight_used_twice_gets_the_sum_of_its_gradients() {
    let Some(gpu) = common::gpu() else { return };
    let layer = layer(Some(Activation::Tanh));
    let apart = gradients(&gpu, &parameters(&gpu, &["a", "b"]), |graph, x| {
        let h = layer.apply(graph, "a", &[x]);
        vec![layer.apply(graph, "b", &[h])]
    });
    let shared = gradients(&gpu, &parameters(&gpu, &["a"]), |graph, x| {
        let h = layer.apply(graph, "a", &[x]);
        vec![layer.apply(graph, "a", &[h])]
    });
    assert_close("dx", &shared.1, &apart.1);
    assert_close("dweight", &shared.0[0], &sum(&apart.0[0], &apart.0[2]));
    assert_close("dbias", &shared.0[1], &sum(&apart.0[1], &apart.0[3]));
}

#[test]
fn frozen_parameters_keep_their_bits_and_pass_gradients_on() {
    let Some(gpu) = common::gpu() else { return };
    let (all, layer) = (parameters(&gpu, &["a", "b"]), layer(Some(Activation::Tanh)));
    let before = all.read(&gpu).unwrap();
    let (state, none) =
        (State::tensor("state"), Parameters::zeros("none", &Arc::new(Layout::new([]))));
    let moments = ["first", "second"].map(|name| Parameters::zeros(name, all.layout()));
    let (optimizer, gradients) = (Optimizer::default(), OnceLock::new());
    let mut recording = Recording::new(gpu.report());
    let [x, seed] = [(); 2].map(|()| recording.matrix(&[ROWS, SIZE]));
    let training = Some(Draws { seed: 1, state: &state });
    let mut graph = Graph::new(&mut recording, &all, &none, training);
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
        sink: Sink::Step(Step {
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
