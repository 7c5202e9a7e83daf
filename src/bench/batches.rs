//! The ops that gather a batch of a dataset's columns, that repeat examples, and that take several
//! samples of each together.

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

pub(super) fn concat(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let a = tensor(&gpu, 1, &[ROWS, COLUMNS]);
    let b = tensor(&gpu, 2, &[ROWS, 10]);
    let y = Tensor::matrix("bench", &[ROWS, COLUMNS + 10]);
    let mut recording = Recording::new(gpu.report());
    let (result, moved) = match operation {
        "concat.forward" => {
            ops::concat::forward(&mut recording, "bench", [&a, &b], &y);
            (&y, 2 * y.len())
        }
        "concat.backward" => {
            y.write(&gpu, &super::random(3, y.len()));
            ops::concat::backward(&mut recording, "bench", &y, 0, &a);
            (&a, 2 * a.len())
        }
        _ => unreachable!("{operation}"),
    };
    let work = [0.0, 4.0 * moved as f64];
    time(suite, operation, (y.shape(), ""), work, &[result], &recording.compile(&gpu))
}

pub(super) fn log_mean_exp(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let [nats, weights, dx] = [1, 2, 3].map(|seed| tensor(&gpu, seed, &[ROWS, 1]));
    let y = tensor(&gpu, 4, &[ROWS / TIMES, 1]);
    let total = Tensor::matrix("bench", &[ROWS / TIMES, 2]);
    let mut recording = Recording::new(gpu.report());
    let p = &mut recording;
    let result = match operation {
        "log_mean_exp.forward" => {
            ops::log_mean_exp::forward(p, "bench", &nats, &weights, &y);
            &y
        }
        "log_mean_exp.backward" => {
            ops::log_mean_exp::backward(p, "bench", &y, &weights, &dx);
            &dx
        }
        "log_mean_exp.accumulate" => {
            ops::log_mean_exp::accumulate(p, "bench", &nats, &total);
            &total
        }
        _ => unreachable!("{operation}"),
    };
    let work = [0.0, 4.0 * (2 * nats.len() + y.len()) as f64];
    time(suite, operation, (nats.shape(), ""), work, &[result], &recording.compile(&gpu))
}

pub(super) fn ramp(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let y = Tensor::matrix("bench", &[ROWS, 1]);
    let mut recording = Recording::new(gpu.report());
    let objective = ops::latent::KlObjective::weighted(1.0);
    ops::ramp::forward(&mut recording, "bench", &state(&gpu), &objective, &y);
    time(
        suite,
        operation,
        (y.shape(), ""),
        [0.0, 4.0 * ROWS as f64],
        &[&y],
        &recording.compile(&gpu),
    )
}
