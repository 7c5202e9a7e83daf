//! The ops that gather a batch of a dataset's columns, and that repeat examples.

use super::ops::{state, tensor, time};
use super::{Result, Suite};
use vae_gpu::gpu::{Recording, Tensor};
use vae_gpu::ops;
use vae_gpu::ops::columns::Order;

/// Number of examples in a batch, and in the dataset.
const ROWS: usize = 4096;
const EXAMPLES: usize = 8192;
const COLUMNS: usize = 100;
/// Number of copies of an example.
const TIMES: usize = 8;

pub(super) fn columns(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let state = state(&gpu);
    let order: Vec<u32> = (0..EXAMPLES as u32).rev().collect();
    let indices = Tensor::new(&gpu, "order", &[EXAMPLES], &order);
    let order = Order::of_all(&state, &indices);
    let x = Tensor::matrix("bench", &[ROWS, COLUMNS]);
    let mut recording = Recording::new(gpu.report());
    let p = &mut recording;
    let words = |count: usize| -> Vec<u32> { (0..count).map(|i| (i % COLUMNS) as u32).collect() };
    let read = match operation {
        "columns.floats" => {
            ops::columns::floats(p, "bench", &order, &tensor(&gpu, 1, &[EXAMPLES, COLUMNS]), &x);
            x.len()
        }
        "columns.counts" => {
            let counts = words(EXAMPLES * COLUMNS);
            let counts = Tensor::new(&gpu, "bench", &[EXAMPLES, COLUMNS], &counts);
            ops::columns::counts(p, "bench", &order, &counts, &x);
            x.len()
        }
        "columns.one_hot" => {
            let classes = Tensor::new(&gpu, "bench", &[EXAMPLES], &words(EXAMPLES));
            ops::columns::one_hot(p, "bench", &order, &classes, &x);
            ROWS
        }
        _ => unreachable!("{operation}"),
    };
    let work = [0.0, 4.0 * (read + x.len()) as f64];
    time(suite, operation, (x.shape(), ""), work, &[&x], &recording.compile(&gpu))
}

pub(super) fn repeat(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let few = Tensor::matrix("bench", &[ROWS / TIMES, COLUMNS]);
    let many = Tensor::matrix("bench", &[ROWS, COLUMNS]);
    let mut recording = Recording::new(gpu.report());
    let (from, to) = match operation {
        "repeat.forward" => {
            ops::repeat::forward(&mut recording, "bench", &few, 1, &many);
            (&few, &many)
        }
        "repeat.backward" => {
            ops::repeat::backward(&mut recording, "bench", &many, 1, &few);
            (&many, &few)
        }
        _ => unreachable!("{operation}"),
    };
    from.write(&gpu, &super::random(1, from.len()));
    let work = [0.0, 4.0 * (few.len() + many.len()) as f64];
    time(suite, operation, (many.shape(), ""), work, &[to], &recording.compile(&gpu))
}
