//! Every op but the products, each at the size that the preset `mlp` has and at a larger one.

use super::{Row, Suite, random};
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::ops::{self, State, Stream};

/// Values per image, width of the hidden layer, latent variables.
const PIXELS: usize = 784;
const HIDDEN: usize = 400;
const LATENT: usize = 20;
/// Images in a batch, the preset's and a large one.
const ROWS: [usize; 2] = [128, 4096];
/// Images in the dataset.
const IMAGES: usize = 8192;
const SEED: u64 = 1;

fn tensor(gpu: &Gpu, seed: u64, shape: &[usize]) -> Tensor {
    Tensor::new(gpu, "bench", shape, &random(seed, shape.iter().product()))
}

fn zeros(gpu: &Gpu, shape: &[usize]) -> Tensor {
    Tensor::zeros(gpu, "bench", shape)
}

fn state(gpu: &Gpu) -> Tensor {
    let state = State::tensor(gpu, "state");
    let host =
        State { images: IMAGES as u32, learning_rate: 1e-3, kl_weight: 1.0, ..State::default() };
    host.write(gpu, &state);
    state
}

/// Whether every value is a number, and not all of them are zero.
fn is_alive(gpu: &Gpu, tensor: &Tensor) -> Result<bool> {
    let values: Vec<f32> = tensor.read(gpu)?;
    Ok(values.iter().all(|v| v.is_finite()) && values.iter().any(|&v| v != 0.0))
}

/// Records one op, checks what it writes into `outputs`, and times it; `words` are those of four
/// bytes that it must read and write.
fn time(
    suite: &mut Suite,
    operation: &str,
    (shape, variant, words): (&[usize], &str, usize),
    outputs: &[&Tensor],
    record: impl FnOnce(&mut Plan),
) -> Result<()> {
    let gpu = suite.gpu.clone();
    let mut plan = Plan::new(&gpu);
    record(&mut plan);
    let row = Row::new(operation, shape, variant, 0.0, 4.0 * words as f64);
    let check = || outputs.iter().try_fold(true, |all, output| Ok(all & is_alive(&gpu, output)?));
    suite.measure(row, &plan, check).map(drop)
}

pub(super) fn activation(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let small = ops::activation::NAMES.map(|name| (name, ROWS[0]));
    for (name, rows) in small.into_iter().chain([("relu", ROWS[1]), ("gelu", ROWS[1])]) {
        let shape = [rows, HIDDEN];
        let [x, dy] = [1, 2].map(|seed| tensor(&gpu, seed, &shape));
        let out = zeros(&gpu, &shape);
        let forward = operation == "activation.forward";
        let words = if forward { 2 } else { 3 } * x.len();
        time(suite, operation, (&shape, name, words), &[&out], |plan| match forward {
            true => ops::activation::forward(plan, "bench", name, &x, &out),
            false => ops::activation::backward(plan, "bench", name, &x, &dy, &out),
        })?;
    }
    Ok(())
}

pub(super) fn adam(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    // The preset's parameters, and more than caches hold.
    for count in [652_824, 1 << 22] {
        let [gradient, parameter] = [1, 2].map(|seed| tensor(&gpu, seed, &[count]));
        let [first, second] = [(); 2].map(|()| zeros(&gpu, &[count]));
        let state = state(&gpu);
        let outputs = [&parameter, &first, &second];
        time(suite, operation, (&[count], "", 7 * count), &outputs, |plan| {
            ops::adam::step(plan, "bench", &state, &gradient, &parameter, &first, &second);
        })?;
    }
    Ok(())
}

pub(super) fn gather(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let bytes: Vec<u8> =
        random(1, IMAGES * PIXELS).iter().map(|v| (v.abs() * 255.9) as u8).collect();
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
    let images = Tensor::new(&gpu, "images", &[words.len()], &words);
    // Odd, so that it visits every image.
    let order: Vec<u32> =
        (0..IMAGES as u32).map(|i| i.wrapping_mul(2_654_435_761) % IMAGES as u32).collect();
    let on_order = Tensor::new(&gpu, "order", &[IMAGES], &order);
    let state = state(&gpu);
    for rows in ROWS {
        let x = zeros(&gpu, &[rows, PIXELS]);
        let mut plan = Plan::new(&gpu);
        ops::gather::batch(&mut plan, "bench", &state, &images, &on_order, &x);
        let row = Row::new(operation, x.shape(), "", 0.0, 5.0 * x.len() as f64);
        suite.measure(row, &plan, || {
            let close = |(i, got): (usize, &f32)| {
                let image = order[i / PIXELS] as usize;
                (255.0 * got - f32::from(bytes[image * PIXELS + i % PIXELS])).abs() < 1e-3
            };
            Ok(x.read::<f32>(&gpu)?.iter().enumerate().all(close))
        })?;
    }
    Ok(())
}

pub(super) fn latent(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for (rows, latent) in [(ROWS[0], LATENT), (ROWS[1], 128)] {
        let shape = [rows, latent];
        let [epsilon, dz] = [1, 2].map(|seed| tensor(&gpu, seed, &shape));
        let head = tensor(&gpu, 3, &[rows, 2 * latent]);
        let (z, kl, dhead) = (zeros(&gpu, &shape), zeros(&gpu, &[rows]), zeros(&gpu, head.shape()));
        let state = state(&gpu);
        if operation == "latent.forward" {
            let words = 4 * z.len() + rows;
            time(suite, operation, (&shape, "", words), &[&z, &kl], |plan| {
                ops::latent::forward(plan, "bench", &head, &epsilon, &z, &kl);
            })?;
        } else {
            time(suite, operation, (&shape, "", 6 * z.len()), &[&dhead], |plan| {
                ops::latent::backward(plan, "bench", &state, &head, &epsilon, &dz, &dhead);
            })?;
        }
    }
    Ok(())
}

pub(super) fn likelihood(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for rows in ROWS {
        for name in ops::likelihood::NAMES {
            let shape = [rows, PIXELS];
            let [x, output] = [1, 2].map(|seed| tensor(&gpu, seed, &shape));
            let (recon, doutput) = (zeros(&gpu, &[rows]), zeros(&gpu, &shape));
            let words = 3 * x.len() + rows;
            time(suite, operation, (&shape, name, words), &[&recon, &doutput], |plan| {
                ops::likelihood::loss(plan, "bench", name, &x, &output, &recon, &doutput);
            })?;
        }
    }
    Ok(())
}

pub(super) fn noise(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for shape in [[ROWS[0], LATENT], [ROWS[1], PIXELS]] {
        let (state, epsilon) = (state(&gpu), zeros(&gpu, &shape));
        time(suite, operation, (&shape, "", epsilon.len()), &[&epsilon], |plan| {
            ops::noise::normal(plan, "bench", SEED, Stream::Train, &state, &epsilon);
        })?;
    }
    Ok(())
}

pub(super) fn report(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for rows in ROWS {
        let [recon, kl] = [1, 2].map(|seed| tensor(&gpu, seed, &[rows]));
        let state = state(&gpu);
        let mut plan = Plan::new(&gpu);
        ops::report::accumulate(&mut plan, "bench", &recon, &kl, &state);
        let row = Row::new(operation, &[rows], "", 0.0, 8.0 * rows as f64);
        suite.measure(row, &plan, || {
            let State { step, row, recon, .. } = State::read(&gpu, &state)?;
            let counted = step > 0 && row == step.wrapping_mul(rows as u32);
            Ok(counted && recon.is_finite() && recon != 0.0)
        })?;
    }
    Ok(())
}

pub(super) fn shuffle(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for count in [60_000, 1 << 20] {
        let (state, order) = (state(&gpu), zeros(&gpu, &[count]));
        let mut plan = Plan::new(&gpu);
        ops::shuffle::permutation(&mut plan, "bench", SEED, &state, &order);
        let row = Row::new(operation, &[count], "", 0.0, 4.0 * count as f64);
        suite.measure(row, &plan, || {
            let mut order: Vec<u32> = order.read(&gpu)?;
            let moved = order.iter().zip(0..).any(|(&to, from)| to != from);
            order.sort_unstable();
            Ok(moved && order.iter().copied().eq(0..count as u32))
        })?;
    }
    Ok(())
}
