use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::latent::{self, KlObjective, STATISTICS};

use crate::check::{self, Guarded};

/// Rows and latent variables.
const SIZES: [[usize; 2]; 7] = [[1, 1], [63, 2], [257, 20], [5, 63], [3, 257], [1757, 1], [64, 64]];
/// Images in an epoch, and the step at which it is looked at.
const IMAGES: u32 = 5000;
const STEP: u32 = 13;

fn halves(head: &[f64], latent: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
    head.chunks(2 * latent).map(move |row| row.split_at(latent))
}

/// KL divergence of each latent variable, summed over the rows.
fn divergences(head: &[f64], latent: usize) -> Vec<f64> {
    let mut kl = vec![0.0; latent];
    for (mean, logvar) in halves(head, latent) {
        for (j, kl) in kl.iter_mut().enumerate() {
            *kl += 0.5 * (mean[j] * mean[j] + logvar[j].exp_m1() - logvar[j]);
        }
    }
    kl
}

fn draw(head: &[f64], epsilon: &[f64], latent: usize) -> Vec<f64> {
    let row = |((mean, logvar), epsilon): ((&[f64], &[f64]), &[f64])| {
        let z = |j: usize| mean[j] + (0.5 * logvar[j]).exp() * epsilon[j];
        (0..latent).map(z).collect::<Vec<_>>()
    };
    halves(head, latent).zip(epsilon.chunks(latent)).flat_map(row).collect()
}

/// How far up the ramp `step` is.
fn climbed(objective: &KlObjective, step: u32) -> f64 {
    let step = if objective.period > 0 { step % objective.period } else { step };
    if step < objective.ramp { f64::from(step) / f64::from(objective.ramp) } else { 1.0 }
}

/// The objective's cost of the batch mean of the divergence.
fn cost(objective: &KlObjective, step: u32, head: &[f64], latent: usize) -> f64 {
    let rows = (head.len() / (2 * latent)) as f64;
    let kl: Vec<f64> = divergences(head, latent).iter().map(|kl| kl / rows).collect();
    let up = climbed(objective, step);
    match objective.capacity {
        Some(nats) => objective.weight * (kl.iter().sum::<f64>() - nats * up).abs(),
        None => {
            let floor = |kl: &f64| kl.max(objective.free_bits);
            objective.weight * up * kl.iter().map(floor).sum::<f64>()
        }
    }
}

/// The gradient by head of the sum of dz · z and of [`cost`].
fn slope(
    objective: &KlObjective,
    step: u32,
    [head, epsilon, dz]: [&[f64]; 3],
    latent: usize,
) -> Vec<f64> {
    let rows = (dz.len() / latent) as f64;
    let kl: Vec<f64> = divergences(head, latent).iter().map(|kl| kl / rows).collect();
    let up = climbed(objective, step);
    let weight = |j: usize| match objective.capacity {
        Some(nats) => objective.weight * (kl.iter().sum::<f64>() - nats * up).signum(),
        None if kl[j] < objective.free_bits => 0.0,
        None => objective.weight * up,
    };
    let mut dhead = Vec::new();
    for (((mean, logvar), epsilon), dz) in
        halves(head, latent).zip(epsilon.chunks(latent)).zip(dz.chunks(latent))
    {
        dhead.extend((0..latent).map(|j| dz[j] + weight(j) * mean[j] / rows));
        dhead.extend((0..latent).map(|j| {
            let noise = 0.5 * (0.5 * logvar[j]).exp() * epsilon[j];
            dz[j] * noise + weight(j) * 0.5 * logvar[j].exp_m1() / rows
        }));
    }
    dhead
}

/// Every kind of objective: plain, on a ramp, on one that begins again, with free bits, with a
/// capacity.
fn objectives() -> [KlObjective; 6] {
    let plain = KlObjective::weighted(0.7);
    [
        plain,
        KlObjective { ramp: 40, ..plain },
        KlObjective { ramp: 4, period: 5, ..plain },
        KlObjective { free_bits: 3.0, ramp: 20, ..plain },
        KlObjective { capacity: Some(2.0), ramp: 26, ..plain },
        KlObjective { capacity: Some(1e3), weight: 3.0, ..plain },
    ]
}

fn state(gpu: &Gpu) -> Tensor {
    let state = State::tensor("state");
    State { images: IMAGES, step: STEP, ..State::default() }.write(gpu, &state);
    state
}

/// z, kl and the statistics of `runs` runs.
fn run_forward(
    gpu: &Gpu,
    [rows, latent]: [usize; 2],
    head: &[f32],
    epsilon: &[f32],
    runs: usize,
) -> [Vec<f32>; 3] {
    let head = check::input(gpu, &[rows, 2 * latent], head);
    let epsilon = check::roomy_input(gpu, &[rows * latent], epsilon);
    let z = Guarded::new(gpu, &[rows, latent]);
    let kl = Guarded::roomy(gpu, &[latent + 1]).fill(gpu, &vec![0.0f32; latent + 1]);
    let units = Guarded::roomy(gpu, &[STATISTICS * latent]);
    let units = units.fill(gpu, &vec![0.0f32; STATISTICS * latent]);
    let mut recording = Recording::new(gpu.report());
    let tensors = [&head, &epsilon, &z.tensor, &kl.tensor];
    latent::forward(&mut recording, "test", &state(gpu), 1, tensors, &units.tensor);
    let plan = recording.compile(gpu);
    for _ in 0..runs {
        plan.run();
    }
    let [z, mut kl, units] = [z, kl, units].map(|guarded| guarded.floats(gpu));
    assert_eq!(kl.pop(), Some(0.0), "the place behind the last is for the backward pass");
    [z, kl, units]
}

fn run_backward(
    gpu: &Gpu,
    [rows, latent]: [usize; 2],
    objective: &KlObjective,
    [head, epsilon, dz]: [&[f32]; 3],
    kl: &[f32],
) -> Vec<f32> {
    let head = check::input(gpu, &[rows, 2 * latent], head);
    let epsilon = check::input(gpu, &[rows * latent], epsilon);
    let dz = check::input(gpu, &[rows, latent], dz);
    // A wrong total, which is written first.
    let kl = check::input(gpu, &[latent + 1], &[kl, &[1e9]].concat());
    let dhead = Guarded::roomy(gpu, &[rows, 2 * latent]);
    let state = state(gpu);
    check::run(gpu, |recording| {
        let dhead = &dhead.tensor;
        latent::backward(recording, "test", &state, objective, &head, &epsilon, &kl, &dz, dhead);
    });
    dhead.floats(gpu)
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, latent] in SIZES {
        let head = check::random(3, rows * 2 * latent, -3.0..3.0);
        let epsilon = check::random(4, rows * latent, -2.0..2.0);
        let [z, kl, units] = run_forward(gpu, [rows, latent], &head, &epsilon, 2);
        let [head, epsilon] = [head, epsilon].map(|values| check::wide(&values));
        let what = format!("{rows} x {latent}");
        // z may cancel; its terms are below 12.
        check::assert_each(&what, &z, &draw(&head, &epsilon, latent), 1e-6, 1e-5);
        let want = divergences(&head, latent);
        check::assert_each(&what, &kl, &want, 1e-5, 0.0);
        // Two steps of one epoch add up; the state of both says that no row was used before.
        let share: Vec<f64> = want.iter().map(|kl| 2.0 * kl / f64::from(IMAGES)).collect();
        let [older, recent] = [0, 1].map(|i| &units[i * latent..][..latent]);
        assert!(older.iter().all(|sum| *sum == 0.0), "{what}: {older:?}");
        check::assert_each(&what, recent, &share, 1e-5, 0.0);
        check_statistics(&what, &units, latent, &[&head]);
    }
}

/// Compares the average and the variance of the posterior's mean over the rows of several batches, in
/// `units`, with those of the definitions.
fn check_statistics(what: &str, units: &[f32], latent: usize, heads: &[&[f64]]) {
    let unit = |i: usize, j: usize| f64::from(units[i * latent + j]);
    for j in 0..latent {
        let rows = || heads.iter().flat_map(|head| halves(head, latent)).map(|(mean, _)| mean[j]);
        let (count, sum) = rows().fold((0.0, 0.0), |(n, sum), mean| (n + 1.0, sum + mean));
        let average = sum / count;
        let variance = rows().map(|mean| (mean - average).powi(2)).sum::<f64>() / count;
        let got = unit(2, j) + unit(3, j);
        assert!(
            (got - average).abs() <= 1e-6 * variance.sqrt().max(1.0),
            "{what}[{j}]: {got}, {average}"
        );
        let got = unit(4, j) * f64::from(IMAGES) / count;
        assert!((got - variance).abs() <= 2e-5 * variance, "{what}[{j}]: {got}, not {variance}");
    }
}

/// Means far from zero, whose variance is what it is: those of an image in its own batch, of many batches
/// of awkward sizes, and of a first row that is nothing like the others.
#[test]
fn the_variance_of_means_is_right_wherever_they_lie() {
    let Some(gpu) = check::gpu() else { return };
    for (i, sizes) in [&[1, 1, 63, 257][..], &[1757, 63, 1], &[5]].into_iter().enumerate() {
        let latent = [5, 1, 63][i];
        for shift in [0.0, 30.0, -300.0, 3000.0, 30_000.0] {
            let batches: Vec<Vec<f32>> = (20..)
                .zip(sizes)
                .map(|(seed, rows)| {
                    let mut head = check::random(seed, rows * 2 * latent, -0.4..0.4);
                    let means = head.chunks_mut(2 * latent).flat_map(|row| &mut row[..latent]);
                    means.for_each(|mean| *mean += shift);
                    head
                })
                .collect();
            let units = run_epoch(gpu, latent, &batches, 0);
            let wide: Vec<_> = batches.iter().map(|head| check::wide(head)).collect();
            let wide: Vec<&[f64]> = wide.iter().map(Vec::as_slice).collect();
            check_statistics(&format!("{sizes:?} about {shift}"), &units, latent, &wide);
        }
    }
}

/// The statistics after an epoch that begins at `step` with these heads.
fn run_epoch(gpu: &Gpu, latent: usize, heads: &[Vec<f32>], step: u32) -> Vec<f32> {
    run_samples(gpu, latent, heads, State { images: IMAGES, step, ..State::default() }, 1)
}

/// The same from `state` on, with each row as many times as an image has `samples`.
fn run_samples(
    gpu: &Gpu,
    latent: usize,
    heads: &[Vec<f32>],
    mut state: State,
    samples: usize,
) -> Vec<f32> {
    let units = Guarded::roomy(gpu, &[STATISTICS * latent]);
    let units = units.fill(gpu, &vec![0.0f32; STATISTICS * latent]);
    for head in heads {
        let images = head.len() / (2 * latent);
        let rows = images * samples;
        let head: Vec<f32> = head.chunks(2 * latent).flat_map(|row| row.repeat(samples)).collect();
        let head = check::input(gpu, &[rows, 2 * latent], &head);
        let epsilon = check::input(gpu, &[rows * latent], &vec![0.0f32; rows * latent]);
        let (z, kl) = (Guarded::new(gpu, &[rows, latent]), Guarded::new(gpu, &[latent + 1]));
        let at = State::tensor("state");
        state.write(gpu, &at);
        check::run(gpu, |recording| {
            let tensors = [&head, &epsilon, &z.tensor, &kl.tensor];
            latent::forward(recording, "test", &at, samples, tensors, &units.tensor);
        });
        state.row += images as u32;
        state.step += 1;
    }
    units.floats(gpu)
}

/// However many samples an image has, it counts once.
#[test]
fn samples_of_an_image_count_as_one() {
    let Some(gpu) = check::gpu() else { return };
    let (latent, sizes) = (3, [5, 7, 1]);
    let heads: Vec<Vec<f32>> = (0..)
        .zip(sizes)
        .map(|(seed, rows)| check::random(seed, rows * 2 * latent, -1.0..2.0))
        .collect();
    let want = check::wide(&run_epoch(gpu, latent, &heads, 0));
    for samples in [2, 63] {
        let state = State { images: IMAGES, ..State::default() };
        let got = run_samples(gpu, latent, &heads, state, samples);
        check::assert_each(&format!("{samples} samples"), &got, &want, 1e-5, 1e-6);
    }
}

/// Samples of all images of an epoch may be more than 32 bits count.
#[test]
fn samples_of_many_images_are_counted() {
    let Some(gpu) = check::gpu() else { return };
    let head = check::random(40, 2 * 3, -1.0..2.0);
    let state = State { images: 3_000_000, row: 2_500_000, step: 7, ..State::default() };
    let heads = std::slice::from_ref(&head);
    let [want, got] = [1, 2000].map(|samples| run_samples(gpu, 3, heads, state, samples));
    check::assert_each("2000 samples", &got, &check::wide(&want), 1e-5, 0.0);
}

/// The divergence's sum is moved to its older part from time to time, and goes on.
#[test]
fn sums_are_moved_and_lose_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let heads: Vec<Vec<f32>> =
        (30..34).map(|seed| check::random(seed, 63 * 10, -3.0..3.0)).collect();
    let units = run_epoch(gpu, 5, &heads, 1022);
    for (i, of) in heads.chunks(2).enumerate() {
        let sums = of.iter().map(|head| divergences(&check::wide(head), 5));
        let sum = sums.reduce(|a, b| a.iter().zip(b).map(|(a, b)| a + b).collect()).unwrap();
        let want: Vec<f64> = sum.iter().map(|sum| sum / f64::from(IMAGES)).collect();
        check::assert_each("part", &units[5 * i..][..5], &want, 1e-5, 0.0);
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, latent] in SIZES {
        let head = check::random(3, rows * 2 * latent, -3.0..3.0);
        let epsilon = check::random(4, rows * latent, -2.0..2.0);
        let dz = check::random(5, rows * latent, -1.0..1.0);
        let wide = [&head, &epsilon, &dz].map(|values| check::wide(values));
        let kl: Vec<f32> = divergences(&wide[0], latent).iter().map(|kl| *kl as f32).collect();
        for objective in objectives() {
            let got = run_backward(gpu, [rows, latent], &objective, [&head, &epsilon, &dz], &kl);
            let want = slope(&objective, STEP, [&wide[0], &wide[1], &wide[2]], latent);
            let what = format!("{rows} x {latent}, {objective:?}");
            check::assert_each(&what, &got, &want, 1e-6, 1e-5);
            check::assert_norm(&what, &got, &want, 1e-6);
        }
    }
}

/// Close to the prior the divergence is the small difference of large terms.
#[test]
fn divergence_near_the_prior_keeps_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    let [rows, latent] = [63, 20];
    let head = check::random(6, rows * 2 * latent, -0.01..0.01);
    let epsilon = check::random(7, rows * latent, -2.0..2.0);
    let [_, kl, _] = run_forward(gpu, [rows, latent], &head, &epsilon, 1);
    check::assert_each("kl", &kl, &divergences(&check::wide(&head), latent), 1e-4, 0.0);
}

/// Log-variances of ±80 and huge means: large, but within 32 bits. `exp` may be wrong by 3 + 2|x|
/// units in the last place, here 1e-5. One row at a time, so that none hides in another's sum.
#[test]
fn extremes_stay_finite() {
    let Some(gpu) = check::gpu() else { return };
    let latent = 20;
    for (mean, logvar) in [(1e15, 80.0), (1.0, 80.0), (1.0, -80.0), (1.0, 40.0)] {
        let mut head = check::random(8, 2 * latent, -3.0..3.0);
        head[0] = mean;
        head[latent..].fill(logvar);
        let epsilon = check::random(9, latent, 0.5..2.0);
        let dz = check::random(10, latent, 0.5..1.0);
        let [z, kl, _] = run_forward(gpu, [1, latent], &head, &epsilon, 1);
        let objective = KlObjective::weighted(0.7);
        let dhead = run_backward(gpu, [1, latent], &objective, [&head, &epsilon, &dz], &kl);
        let [head, epsilon, dz] = [head, epsilon, dz].map(|values| check::wide(&values));
        let want_kl = divergences(&head, latent);
        assert!(logvar < 80.0 || want_kl[0] > 5e29);
        check::assert_each("z", &z, &draw(&head, &epsilon, latent), 1e-4, 0.0);
        check::assert_each("kl", &kl, &want_kl, 1e-4, 0.0);
        let want = slope(&objective, STEP, [&head, &epsilon, &dz], latent);
        check::assert_each("dhead", &dhead, &want, 1e-4, 1e-7);
    }
}

#[test]
fn the_gradient_by_head_is_the_derivative() {
    let [rows, latent] = [3, 4];
    let wide = |seed, len, limit: f32| check::wide(&check::random(seed, len, -limit..limit));
    let (head, epsilon) = (wide(7, rows * 2 * latent, 2.0), wide(8, rows * latent, 2.0));
    let dz = wide(9, rows * latent, 2.0);
    for objective in objectives() {
        // Both sides of the floor, and no huge constant, whose digits a difference would cost.
        let capacity = objective.capacity.map(|nats| nats.min(100.0));
        let free_bits = objective.free_bits.min(0.4);
        let objective = KlObjective { free_bits, capacity, ..objective };
        let total = |head: &[f64]| {
            let z = draw(head, &epsilon, latent);
            let chained: f64 = z.iter().zip(&dz).map(|(z, dz)| z * dz).sum();
            chained + cost(&objective, STEP, head, latent)
        };
        let gradient = slope(&objective, STEP, [&head, &epsilon, &dz], latent);
        check::assert_gradient(&format!("{objective:?}"), total, &head, &gradient);
    }
}
