//! The matrix products with further work in the same dispatch, at the sizes of the preset `mlp`.

use super::Suite;
use super::ops::{state, time};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::matmul::{self, WeightGradient};
use vae_gpu::ops::optimizer::{Optimizer, Update};

const BATCH: usize = 128;
const PIXELS: usize = 784;
const HIDDEN: usize = 400;
const LATENT: usize = 20;

fn fill(gpu: &Gpu, tensors: &[&Tensor]) {
    for (tensor, seed) in tensors.iter().zip(1..) {
        tensor.write(gpu, &super::random(seed, tensor.len()));
    }
}

/// Measures the gradients and the step of all layers at once, as in training.
pub(super) fn backward_weight_step(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let layers = [[PIXELS, HIDDEN], [HIDDEN, 2 * LATENT], [LATENT, HIDDEN], [HIDDEN, PIXELS]];
    let mut recording = Recording::new(gpu.report());
    let room =
        layers.map(|[i, o]| (i * o + o).next_multiple_of(2 * Tensor::ALIGNMENT)).iter().sum();
    let arena = |_| Tensor::zeros("bench", &[room]);
    let [parameter, first, second] = [(); 3].map(arena);
    let (mut at, mut flop, mut bytes) = (0, 0.0, 0.0);
    let tasks = layers.map(|[inputs, outputs]| {
        let (dy, x) = (recording.matrix(&[BATCH, outputs]), recording.matrix(&[BATCH, inputs]));
        let weight = parameter.view_matrix(at, &[outputs, inputs]);
        at += (inputs * outputs).next_multiple_of(Tensor::ALIGNMENT);
        let bias = parameter.view(at, &[outputs]);
        at += outputs.next_multiple_of(Tensor::ALIGNMENT);
        let [more, moved] = product([BATCH, inputs, outputs]);
        flop += more;
        // The parameter and two moments are read and written.
        bytes += moved + 4.0 * 5.0 * (inputs * outputs) as f64;
        WeightGradient { dy, x, weight, bias }
    });
    let (state, optimizer) = (&state(&gpu), &Optimizer::default());
    let update = Update { optimizer, state, parameter: &parameter, moments: [&first, &second] };
    matmul::backward_weight_step(&mut recording, "bench", &tasks, &update);
    let plan = recording.compile(&gpu);
    for task in &tasks {
        fill(&gpu, &[&task.dy, &task.x, &task.weight]);
    }
    let outputs = [&parameter, &first, &second];
    time(
        suite,
        operation,
        (&[BATCH, layers.len()], "layers of mlp"),
        [flop, bytes],
        &outputs,
        &plan,
    )
}

/// The number of additions and multiplications, and of bytes read and written, of a product with
/// the given batch, inputs and outputs.
fn product([batch, inputs, outputs]: [usize; 3]) -> [f64; 2] {
    let words = batch * inputs + inputs * outputs + batch * outputs;
    [2.0 * (batch * inputs * outputs) as f64, 4.0 * words as f64]
}
