//! The normalizations, with all that their statistics take: of features, and of maps of two sizes.

use super::Suite;
use super::ops::{tensor, time};
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::ops::activation::Origin;
use crate::ops::moments::Normalized;
use crate::ops::{Extent, batch_norm as batch, layer_norm as layer};

const ACTIVATION: Option<&str> = Some("relu");
const BATCH: usize = 128;
/// Height, which is the width, and channels.
const SIZES: [[usize; 2]; 3] = [[1, 400], [4, 128], [16, 32]];

/// What a layer reads and writes.
struct Tensors {
    /// x, dy, and what x came from.
    read: [Tensor; 3],
    /// What y comes from, y, dx.
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
            written: [(); 3].map(|()| Tensor::zeros(gpu, "bench", &shape)),
            small: [4, 5, 0, 0, 8, 9].map(|seed| match seed {
                // Gradients, which are zero until they are computed.
                0 => Tensor::zeros(gpu, "bench", &[parameters]),
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
        let forward = |plan: &mut Plan| {
            batch::forward(plan, "bench", x, parameters, running, ACTIVATION, [pre, y])
        };
        let mut plan = Plan::new(&gpu);
        let (moved, outputs) = match operation {
            "batch_norm.forward" => {
                forward(&mut plan);
                (3, vec![y])
            }
            "batch_norm.evaluate" => {
                batch::evaluate(&mut plan, "bench", x, parameters, running, ACTIVATION, [pre, y]);
                (3, vec![y])
            }
            "batch_norm.backward" => {
                let mut first = Plan::new(&gpu);
                let moments = forward(&mut first);
                first.run();
                let gradients = [dweight, dbias];
                let forward = Normalized { x, weight, moments: &moments };
                let origin = Origin { name: ACTIVATION, pre: before.clone() };
                batch::backward(&mut plan, "bench", dy, forward, &origin, gradients, dx);
                (4, vec![dx, dweight, dbias])
            }
            _ => unreachable!("{operation}"),
        };
        let work = [0.0, 4.0 * (moved * x.len()) as f64];
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
        let mut first = Plan::new(&gpu);
        let parameters = [weight, bias];
        let moments =
            layer::forward(&mut first, "bench", extent, x, parameters, ACTIVATION, [pre, y]);
        let forward = Normalized { x, weight, moments: &moments };
        let mut plan = Plan::new(&gpu);
        let (moved, outputs) = match operation {
            "layer_norm.forward" => {
                plan = first;
                (3, vec![y])
            }
            "layer_norm.backward_input" => {
                first.run();
                let origin = Origin { name: ACTIVATION, pre: before.clone() };
                layer::backward_input(&mut plan, "bench", extent, dy, forward, &origin, dx);
                (4, vec![dx])
            }
            "layer_norm.backward_weight" => {
                first.run();
                let gradients = [dweight, dbias];
                layer::backward_weight(&mut plan, "bench", extent, dy, forward, gradients);
                (2, vec![dweight, dbias])
            }
            _ => unreachable!("{operation}"),
        };
        let work = [0.0, 4.0 * (moved * x.len()) as f64];
        time(suite, operation, (&[BATCH, side, side, channels], ""), work, &outputs, &plan)?;
    }
    Ok(())
}
