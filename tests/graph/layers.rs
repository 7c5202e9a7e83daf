//! Every layer within a graph: applied twice, swept twice, in memory that was used before.

use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::nn::{
    Chain, Draws, Graph, Modules, Parameters, Shape, Sink, Sweep, Train, ValueId, Weights,
};
use vae_gpu::ops::State;
use vae_gpu::ops::density::SQUARED_ERROR;

use super::{ROWS, SIZE, common, inputs};

const INPUT: Shape = Shape::Features(SIZE);

fn chain(modules: &mut Modules, name: &str, layers: &str) -> Chain {
    modules.chain(name, layers, INPUT).unwrap()
}

/// Gradients of the parameters of `model` by its squared error from its input, in poisoned memory.
fn gradients(
    gpu: &Gpu,
    weights: &Weights,
    model: impl Fn(&mut Graph, ValueId) -> ValueId,
) -> Vec<Vec<f32>> {
    let state = State::tensor("state");
    let stored = Parameters::zeros("gradients", weights.parameters.layout());
    let mut recording = Recording::new(gpu.report());
    let x = recording.matrix(&[ROWS, SIZE]);
    let draws = Some(Draws { seed: 1, state: &state });
    let mut graph = Graph::new(&mut recording, weights, draws);
    let input = graph.input(INPUT, ROWS, x.clone());
    let y = model(&mut graph, input);
    let errors = graph.row_sums("errors", &SQUARED_ERROR, &[], &[y.into(), input.into()]);
    let seeds = [(errors, Some(ones(gpu, [ROWS, 1])))];
    let sink = Sink::Store(&stored);
    graph.backward_last(&Sweep { seeds: &seeds, train: Train::All, sink, variables: &[] });
    let mut plan = recording.compile(gpu);
    plan.poison(&recording, &[&x]);
    x.write(gpu, &inputs());
    plan.run();
    stored.read(gpu).unwrap()
}

fn ones(gpu: &Gpu, shape: [usize; 2]) -> Tensor {
    let ones = Tensor::matrix("ones", &shape);
    ones.write(gpu, &vec![1.0f32; ones.len()]);
    ones
}

/// The gradients of layers that are applied twice are those of two layers with equal values, added.
#[test]
fn layers_applied_twice_get_both_gradients() {
    let Some(gpu) = common::gpu() else { return };
    for layers in [
        "[{ linear = 5 }, 'gelu']",
        "['batch_norm', 'tanh']",
        "['layer_norm', 'relu']",
        "[{ reshape = [5, 1, 1] }, 'batch_norm', 'silu', 'flatten']",
        "[{ reshape = [5, 1, 1] }, 'layer_norm', 'flatten']",
        "[{ linear = 36 }, { reshape = [1, 6, 6] }, { conv2d = 3, kernel = 3, padding = 1 }, 'tanh', \
         { conv_transpose2d = 1, kernel = 2, stride = 2 }, 'batch_norm', 'flatten', { linear = 5 }]",
    ] {
        let [mut one, mut two] = [(); 2].map(|()| Modules::new(INPUT));
        let shared = chain(&mut one, "a", layers);
        let apart = ["b", "c"].map(|name| chain(&mut two, name, layers));
        let [one, two] = [one, two].map(|modules| modules.weights(&gpu, 5));
        let values = one.parameters.read(&gpu).unwrap();
        two.parameters.write(&gpu, &[&values[..], &values].concat());
        let got = gradients(&gpu, &one, |graph, x| {
            let y = shared.apply(graph, x);
            shared.apply(graph, y)
        });
        let want = gradients(&gpu, &two, |graph, x| {
            let y = apart[0].apply(graph, x);
            apart[1].apply(graph, y)
        });
        let (first, second) = want.split_at(values.len());
        for ((got, a), b) in got.iter().zip(first).zip(second) {
            let scale = got.iter().fold(1e-3f32, |most, v| most.max(v.abs()));
            for ((got, a), b) in got.iter().zip(a).zip(b) {
                assert!((got - a - b).abs() <= 1e-4 * scale, "{layers}: {got}, not {a} + {b}");
            }
        }
    }
}

/// Two sweeps of one graph have the bits of two graphs with a sweep each.
#[test]
fn a_graph_is_swept_twice() {
    let Some(gpu) = common::gpu() else { return };
    let layers = "[{ linear = 36 }, 'gelu', { reshape = [1, 6, 6] }, \
        { conv2d = 3, kernel = 3, padding = 1 }, 'batch_norm', 'tanh', { max_pool2d = 2 }, 'flatten', \
        { residual = [{ linear = 27 }, 'relu', { dropout = 0.3 }] }, { linear = 5 }]";
    let mut modules = Modules::new(INPUT);
    let a = chain(&mut modules, "a", layers);
    let b = chain(&mut modules, "b", "[{ linear = 7 }, 'elu', { linear = 5 }]");
    let weights = modules.weights(&gpu, 5);
    let run = |first: bool, second: bool| {
        let state = State::tensor("state");
        let stored = [(); 2].map(|()| Parameters::zeros("gradients", weights.parameters.layout()));
        let mut recording = Recording::new(gpu.report());
        let x = recording.matrix(&[ROWS, SIZE]);
        let draws = Some(Draws { seed: 1, state: &state });
        let mut graph = Graph::new(&mut recording, &weights, draws);
        let input = graph.input(INPUT, ROWS, x.clone());
        let h = a.apply(&mut graph, input);
        let y = b.apply(&mut graph, h);
        let s = graph.row_sums("s", &SQUARED_ERROR, &[], &[y.into(), input.into()]);
        let t = graph.row_sums("t", &SQUARED_ERROR, &[], &[h.into(), y.into()]);
        let seed = Some(ones(&gpu, [ROWS, 1]));
        let [by_s, by_t] = [(s, seed.clone()), (t, seed)].map(|seed| [seed]);
        let names = ["a".to_string(), "b".to_string()];
        let sweep = |seeds, i: usize| {
            let (train, sink) = (Train::Only(&names[1 - i..2 - i]), Sink::Store(&stored[i]));
            Sweep { seeds, train, sink, variables: &[] }
        };
        if first {
            graph.backward(&sweep(&by_s, 0));
        }
        if second {
            graph.backward_last(&sweep(&by_t, 1));
        }
        let mut plan = recording.compile(&gpu);
        plan.poison(&recording, &[&x]);
        x.write(&gpu, &inputs());
        plan.run();
        stored.map(|stored| stored.read(&gpu).unwrap())
    };
    let (both, first, second) = (run(true, true), run(true, false), run(false, true));
    assert!(both.iter().all(|gradients| gradients.iter().flatten().any(|g| *g != 0.0)));
    assert_eq!(both[0], first[0]);
    assert_eq!(both[1], second[1]);
}

/// Memory is given out again: what is behind the rows of y and dx must be zero, and is not before.
#[test]
fn layers_write_the_padding_of_what_they_make() {
    let Some(gpu) = common::gpu() else { return };
    let (features, map) = (Shape::Features(9), Shape::map(3, 4, 4));
    for (input, layers) in [
        (features, "[{ linear = 9 }]"),
        (features, "[{ linear = 9 }, 'sigmoid']"),
        (features, "['softplus']"),
        (features, "['batch_norm', 'sigmoid']"),
        (features, "['layer_norm', 'softplus']"),
        (features, "[{ dropout = 0.3 }]"),
        (features, "[{ residual = [{ linear = 9 }] }, 'sigmoid']"),
        (features, "[{ reshape = [1, 3, 3] }]"),
        (Shape::map(3, 3, 3), "['flatten']"),
        (map, "[{ conv2d = 5, kernel = 3 }, 'sigmoid']"),
        (map, "[{ conv_transpose2d = 5, kernel = 3, stride = 2 }, 'sigmoid']"),
        (map, "[{ max_pool2d = 2 }]"),
        (map, "[{ avg_pool2d = 2 }]"),
        (map, "[{ upsample = 2 }]"),
        (Shape::map(20, 4, 4), "[{ pixel_shuffle = 2 }]"),
        (map, "['batch_norm', 'sigmoid']"),
        (map, "['layer_norm', 'sigmoid']"),
        (map, "[{ residual = [{ conv2d = 3, kernel = 3, padding = 1 }] }, 'sigmoid']"),
    ] {
        let mut modules = Modules::new(input);
        let chain = modules.chain("a", layers, input).unwrap();
        let weights = modules.weights(&gpu, 5);
        let state = State::tensor("state");
        let stored = Parameters::zeros("gradients", weights.parameters.layout());
        let mut recording = Recording::new(gpu.report());
        let [x, seed] = [input, chain.output()]
            .map(|shape| recording.matrix(&[7 * shape.rows(), shape.columns()]));
        let draws = Some(Draws { seed: 1, state: &state });
        let mut graph = Graph::new(&mut recording, &weights, draws);
        let id = graph.variable(input, 7, x.clone());
        let y = chain.apply(&mut graph, id);
        let on_y = graph.tensor(y);
        let (seeds, sink) = ([(y, Some(seed.clone()))], Sink::Store(&stored));
        let sweep = Sweep { seeds: &seeds, train: Train::All, sink, variables: &[id] };
        let dx = graph.backward_last(&sweep).remove(0).unwrap();
        let mut plan = recording.compile(&gpu);
        plan.poison(&recording, &[&x, &seed]);
        x.write(&gpu, &vec![0.5f32; x.len()]);
        seed.write(&gpu, &vec![0.5f32; seed.len()]);
        plan.run();
        for (what, tensor) in [("y", on_y), ("dx", dx)] {
            let all: Vec<u32> = tensor.arena().read(&gpu).unwrap();
            let own = &all[tensor.offset()..][..tensor.extent()];
            let mut padding = own.chunks(tensor.stride()).flat_map(|row| &row[tensor.columns()..]);
            assert!(padding.all(|word| *word == 0), "{layers}: padding of {what}");
        }
        let values = stored.read(&gpu).unwrap().concat();
        assert!(values.iter().all(|value| value.is_finite()), "{layers}: gradients");
    }
}
