//! The normalizations, with the dispatches of their statistics, of features and of maps of two
//! sizes.

use super::Suite;
use super::ops::{tensor, time};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::activation::{Activation, Origin};
use vae_gpu::ops::moments::Normalized;
use vae_gpu::ops::{Extent, batch_norm as batch, layer_norm as layer};

const ACTIVATION: Option<Activation> = Some(Activation::Relu);
const BATCH: usize = 128;
/// Height and width of a map, which are equal, and channels.
const SIZES: [[usize; 2]; 3] = [[1, 400], [4, 128], [16, 32]];

/// The tensors that a layer reads and writes.
struct Tensors {
    /// The tensors x, dy, and the pre-activation of x.
    read: [Tensor; 3],
    /// The pre-activation of y, y, and dx.
    written: [Tensor; 3],
    /// Weight, bias, their gradients, and the running mean and variance.
    small: [Tensor; 6],
}

impl Tensors {
    fn new(gpu: &Gpu, rows: usize, channels: usize, parameters: usize) -> Self {
        let shape = [rows, channels];
        let positive = |seed| {
            let values = super::random(seed, parameters);
            let values: Vec<_> = values.iter().map(|v| v + 2.0).collect();
            Tensor::new(gpu, "bench", &[parameters], &values)
        };
        Self {
            read: [1, 2, 3].map(|seed| tensor(gpu, seed, &shape)),
            written: [(); 3].map(|()| Tensor::zeros("bench", &shape)),
            small: [4, 5, 0, 0, 8, 9].map(|seed| match seed {
                // Gradients begin as zeros, which the check of the result would find.
                0 => Tensor::zeros("bench", &[parameters]),
                seed => positive(seed),
            }),
        }
    }
}

pub(super) fn batch_norm(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for [side, channels] in SIZES {
        let tensors = Tensors::new(&gpu, BATCH * side * side, channels, channels);
        let [x, dy, before] = &tensors.read;
        let [pre, y, dx] = &tensors.written;
        let [weight, bias, dweight, dbias, mean, variance] = &tensors.small;
        let (parameters, running) = ([weight, bias], [mean, variance]);
        let forward = |recording: &mut Recording| {
            batch::forward(recording, "bench", x, parameters, running, ACTIVATION, [pre, y])
        };
        let mut recording = Recording::new(gpu.report());
        let (moved, outputs) = match operation {
            "batch_norm.forward" => {
                forward(&mut recording);
                (3, vec![y])
            }
            "batch_norm.evaluate" => {
                batch::evaluate(
                    &mut recording,
                    "bench",
                    x,
                    parameters,
                    running,
                    ACTIVATION,
                    [pre, y],
                );
                (3, vec![y])
            }
            "batch_norm.backward" => {
                let mut first = Recording::new(gpu.report());
                let moments = forward(&mut first);
                first.compile(&gpu).run();
                let gradients = [dweight, dbias];
                let forward = Normalized { x, weight, moments: &moments };
                let origin = Origin { activation: ACTIVATION, pre: before.clone() };
                batch::backward(&mut recording, "bench", dy, forward, &origin, gradients, dx);
                (4, vec![dx, dweight, dbias])
            }
            _ => unreachable!("{operation}"),
        };
        let work = [0.0, 4.0 * (moved * x.len()) as f64];
        let plan = recording.compile(&gpu);
        time(suite, operation, (&[BATCH, side, side, channels], ""), work, &outputs, &plan)?;
    }
    Ok(())
}

pub(super) fn layer_norm(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for [side, channels] in SIZES {
        let extent = Extent { height: side, width: side };
        let tensors = Tensors::new(&gpu, BATCH * side * side, channels, side * side * channels);
        let [x, dy, before] = &tensors.read;
        let [pre, y, dx] = &tensors.written;
        let [weight, bias, dweight, dbias, ..] = &tensors.small;
        let mut first = Recording::new(gpu.report());
        let parameters = [weight, bias];
        let moments =
            layer::forward(&mut first, "bench", extent, x, parameters, ACTIVATION, [pre, y]);
        let forward = Normalized { x, weight, moments: &moments };
        let mut recording = Recording::new(gpu.report());
        let (moved, outputs) = match operation {
            "layer_norm.forward" => {
                recording = first;
                (3, vec![y])
            }
            "layer_norm.backward_input" => {
                first.compile(&gpu).run();
                let origin = Origin { activation: ACTIVATION, pre: before.clone() };
                layer::backward_input(&mut recording, "bench", extent, dy, forward, &origin, dx);
                (4, vec![dx])
            }
            "layer_norm.backward_weight" => {
                first.compile(&gpu).run();
                let gradients = [dweight, dbias];
                layer::backward_weight(&mut recording, "bench", extent, dy, forward, gradients);
                (2, vec![dweight, dbias])
            }
            _ => unreachable!("{operation}"),
        };
        let work = [0.0, 4.0 * (moved * x.len()) as f64];
        let plan = recording.compile(&gpu);
        time(suite, operation, (&[BATCH, side, side, channels], ""), work, &outputs, &plan)?;
    }
    Ok(())
}
