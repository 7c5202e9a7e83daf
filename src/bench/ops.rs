//! Ops other than the products, each at the size of the preset `mlp` and at a larger one.

use super::{Row, Suite, random};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Plan, Recording, Tensor};
use vae_gpu::ops::columns::Order;
use vae_gpu::ops::gather::{Corruption, Drawn, Source};
use vae_gpu::ops::latent::KlObjective;
use vae_gpu::ops::optimizer::{Optimizer, Rule, Update};
use vae_gpu::ops::{self, Extent, State, Stream};

/// Number of values of an image, and of latent variables.
const PIXELS: usize = 784;
const LATENT: usize = 20;
/// Number of images in a batch, the preset's and a large one.
const ROWS: [usize; 2] = [128, 4096];
/// Number of images in the dataset.
const IMAGES: usize = 8192;
const SEED: u64 = 1;

pub(super) fn tensor(gpu: &Gpu, seed: u64, shape: &[usize]) -> Tensor {
    Tensor::new(gpu, "bench", shape, &random(seed, shape.iter().product()))
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros("bench", shape)
}

pub(super) fn state(gpu: &Gpu) -> Tensor {
    let state = State::tensor("state");
    let host = State { images: IMAGES as u32, ..State::default() };
    host.write(gpu, &state);
    state
}

/// Whether every value is finite, and not all of them are zero.
fn is_alive(gpu: &Gpu, tensor: &Tensor) -> Result<bool> {
    let values: Vec<f32> = tensor.read(gpu)?;
    Ok(values.iter().all(|v| v.is_finite()) && values.iter().any(|&v| v != 0.0))
}

/// Times a plan, whose `outputs` are checked; `work` is the additions and
/// multiplications, and the bytes read and written.
pub(super) fn time(
    suite: &mut Suite,
    operation: &str,
    (shape, variant): (&[usize], &str),
    [flop, bytes]: [f64; 2],
    outputs: &[&Tensor],
    plan: &Plan,
) -> Result<()> {
    let gpu = suite.gpu.clone();
    let row = Row::new(operation, shape, variant, flop, bytes);
    let check = || outputs.iter().try_fold(true, |all, output| Ok(all & is_alive(&gpu, output)?));
    suite.measure(row, plan, check).map(drop)
}

/// Number of the preset's parameters, and of more than fit in caches.
const PARAMETERS: [usize; 2] = [652_824, 1 << 22];

/// Measures every rule with its defaults, and Adam on more parameters.
pub(super) fn optimizer(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let [few, many] = PARAMETERS;
    let rule = |name| serde_json::from_value(serde_json::json!({ "name": name }));
    // Words that each rule moves for a parameter: the parameter, its gradient and its moments.
    let words = [("sgd", 3.0), ("rmsprop", 5.0), ("adagrad", 5.0), ("adam", 7.0), ("adamw", 7.0)];
    for (count, (name, words)) in
        words.map(|rule| (few, rule)).into_iter().chain([(many, ("adam", 7.0))])
    {
        let rule: Rule = rule(name).expect("a rule has defaults");
        let optimizer = Optimizer { rule, ..Optimizer::default() };
        let [gradient, parameter] = [1, 2].map(|seed| tensor(&gpu, seed, &[count]));
        let [first, second] = [(); 2].map(|()| zeros(&[count]));
        let (state, optimizer) = (&state(&gpu), &optimizer);
        let update = Update { optimizer, state, parameter: &parameter, moments: [&first, &second] };
        let mut recording = Recording::new(gpu.report());
        ops::optimizer::step(&mut recording, "bench", &update, &gradient, None);
        let work = [0.0, 4.0 * words * count as f64];
        time(suite, operation, (&[count], name), work, &[&parameter], &recording.compile(&gpu))?;
    }
    Ok(())
}

pub(super) fn squares(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for count in PARAMETERS {
        let gradient = tensor(&gpu, 1, &[count]);
        let mut recording = Recording::new(gpu.report());
        let squares = ops::clip::squares(&mut recording, "bench", &gradient);
        let work = [2.0 * count as f64, 4.0 * count as f64];
        time(suite, operation, (&[count], ""), work, &[&squares], &recording.compile(&gpu))?;
    }
    Ok(())
}

/// Measures the factor of clipping from the largest number of parts.
pub(super) fn factor(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let mut sized = Recording::new(gpu.report());
    let count = ops::clip::squares(&mut sized, "bench", &zeros(&[1 << 22])).len();
    let values: Vec<_> = random(1, count).into_iter().map(f32::abs).collect();
    let partials = Tensor::new(&gpu, "bench", &[count], &values);
    let mut recording = Recording::new(gpu.report());
    let factor = ops::clip::factor(&mut recording, "bench", &partials, 1.0);
    let plan = recording.compile(&gpu);
    time(suite, operation, (&[count], ""), [0.0, 4.0 * count as f64], &[&factor], &plan)
}

pub(super) fn gather(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let bytes: Vec<u8> =
        random(1, IMAGES * PIXELS).iter().map(|v| (v.abs() * 255.9) as u8).collect();
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
    let images = Tensor::new(&gpu, "images", &[words.len()], &words);
    // An odd factor and a power of two as the count, so that every image occurs once.
    let order: Vec<u32> =
        (0..IMAGES as u32).map(|i| i.wrapping_mul(2_654_435_761) % IMAGES as u32).collect();
    let on_order = Tensor::new(&gpu, "order", &[IMAGES], &order);
    let state = state(&gpu);
    for rows in ROWS {
        let mut recording = Recording::new(gpu.report());
        let (x, epsilon) = (recording.matrix(&[rows, PIXELS]), recording.vector(rows * LATENT));
        let noise = Drawn { seed: SEED, noise: Some(Stream::Train), ..Drawn::default() };
        let extent = Extent { height: 28, width: 28 };
        let source = Source {
            images: &images,
            order: Order::of_all(&state, &on_order),
            channels: 1,
            extent,
        };
        ops::gather::batch(&mut recording, "bench", &[source], &x, false, &noise, &epsilon);
        let bytes_moved = 5.0 * x.len() as f64 + 4.0 * epsilon.len() as f64;
        let row = Row::new(operation, x.shape(), "", 0.0, bytes_moved);
        suite.measure(row, &recording.compile(&gpu), || {
            let close = |(i, got): (usize, &f32)| {
                let image = order[i / PIXELS] as usize;
                (255.0 * got - f32::from(bytes[image * PIXELS + i % PIXELS])).abs() < 1e-3
            };
            Ok(x.read::<f32>(&gpu)?.iter().enumerate().all(close))
        })?;
    }
    // Colour images as maps, corrupted by noise.
    let (extent, channels, rows) = (Extent { height: 16, width: 16 }, 3, ROWS[0]);
    let mut recording = Recording::new(gpu.report());
    let (x, none) =
        (recording.matrix(&[rows * extent.height * extent.width, channels]), recording.vector(1));
    let source =
        Source { images: &images, order: Order::of_all(&state, &on_order), channels, extent };
    let corruption = Some((Corruption::Gaussian(0.4), Stream::Corrupt));
    let drawn = Drawn { seed: SEED, corruption, ..Drawn::default() };
    ops::gather::batch(&mut recording, "bench", &[source], &x, true, &drawn, &none);
    let work = [0.0, 5.0 * x.len() as f64];
    let plan = recording.compile(&gpu);
    time(suite, operation, (&[rows, 16, 16, channels], "noisy maps"), work, &[&x], &plan)
}

pub(super) fn latent(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let weighted = KlObjective::weighted(1.0);
    let capacity = KlObjective { capacity: Some(5.0), ..weighted };
    // A capacity alone needs the total, which the gradient takes after it: they are timed together.
    let (variant, objective) = match operation.ends_with("total") {
        true => ("and backward", &capacity),
        false => ("", &weighted),
    };
    for rows in ROWS {
        let mut recording = Recording::new(gpu.report());
        let [head, dhead] = [(); 2].map(|()| recording.matrix(&[rows, 2 * LATENT]));
        let [z, dz] = [(); 2].map(|()| recording.matrix(&[rows, LATENT]));
        let (epsilon, kl) = (recording.vector(rows * LATENT), recording.vector(LATENT + 1));
        let (state, units) = (state(&gpu), zeros(&[ops::latent::STATISTICS * LATENT]));
        let mut outputs = vec![&z, &kl];
        let mut words = 2 + 1 + 1;
        if operation.ends_with("forward") {
            let tensors = [&head, &epsilon, &z, &kl];
            ops::latent::forward(&mut recording, "bench", &state, 1, tensors, &units);
        } else {
            ops::latent::backward(
                &mut recording,
                "bench",
                &state,
                objective,
                &head,
                &epsilon,
                &kl,
                &dz,
                &dhead,
            );
            outputs = vec![&dhead];
            words = 2 + 1 + 1 + 2;
        }
        let plan = recording.compile(&gpu);
        for (tensor, seed) in [&head, &epsilon, &dz].into_iter().zip(1..) {
            tensor.write(&gpu, &random(seed, tensor.len()));
        }
        let work = [0.0, 4.0 * (words * rows * LATENT) as f64];
        time(suite, operation, (&[rows, LATENT], variant), work, &outputs, &plan)?;
    }
    Ok(())
}

pub(super) fn noise(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for shape in [[ROWS[0], LATENT], [ROWS[1], PIXELS]] {
        let (state, epsilon) = (state(&gpu), zeros(&shape));
        let mut recording = Recording::new(gpu.report());
        let draw = ops::noise::Draw { seed: SEED, stream: Stream::Train, number: 0 };
        ops::noise::normal(&mut recording, "bench", draw, &state, &epsilon);
        let work = [0.0, 4.0 * epsilon.len() as f64];
        time(suite, operation, (&shape, ""), work, &[&epsilon], &recording.compile(&gpu))?;
    }
    Ok(())
}

pub(super) fn report(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for rows in ROWS {
        let recon = tensor(&gpu, 1, &[rows]);
        let (state, sums) = (state(&gpu), zeros(&[2]));
        let mut recording = Recording::new(gpu.report());
        let report = ops::report::Report { values: &recon, share: 1.0, term: 0, rows };
        ops::report::accumulate(&mut recording, "bench", &report, &state, &sums);
        let row = Row::new(operation, &[rows], "", 0.0, 4.0 * rows as f64);
        suite.measure(row, &recording.compile(&gpu), || {
            let State { step, row, .. } = State::read(&gpu, &state)?;
            let sum: f32 = sums.read(&gpu)?.iter().sum();
            let counted = step > 0 && row == step.wrapping_mul(rows as u32);
            Ok(counted && sum.is_finite() && sum != 0.0)
        })?;
    }
    Ok(())
}

pub(super) fn shuffle(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for count in [60_000, 1 << 20] {
        let (state, order) = (state(&gpu), zeros(&[count]));
        let mut recording = Recording::new(gpu.report());
        ops::shuffle::permutation(&mut recording, "bench", SEED, &state, &order);
        let row = Row::new(operation, &[count], "", 0.0, 4.0 * count as f64);
        suite.measure(row, &recording.compile(&gpu), || {
            let mut order: Vec<u32> = order.read(&gpu)?;
            let moved = order.iter().zip(0..).any(|(&to, from)| to != from);
            order.sort_unstable();
            Ok(moved && order.iter().copied().eq(0..count as u32))
        })?;
    }
    Ok(())
}
