use vae_gpu::gpu::Gpu;
use vae_gpu::ops::{State, latent};

use crate::check::{self, Guarded};

/// Rows and latent variables.
const SIZES: [[usize; 2]; 8] =
    [[1, 1], [63, 2], [257, 20], [5, 63], [3, 257], [2, 1757], [1757, 1], [64, 64]];

const KL_WEIGHT: f32 = 0.7;

/// z and, row by row, the divergence.
fn forward_oracle(head: &[f64], epsilon: &[f64], latent: usize) -> (Vec<f64>, Vec<f64>) {
    let mut z = Vec::new();
    let mut kl = Vec::new();
    for (head, epsilon) in head.chunks(2 * latent).zip(epsilon.chunks(latent)) {
        let (mean, logvar) = head.split_at(latent);
        let terms = || mean.iter().zip(logvar).zip(epsilon);
        z.extend(terms().map(|((m, lv), e)| m + (0.5 * lv).exp() * e));
        kl.push(terms().map(|((m, lv), _)| 0.5 * (m * m + lv.exp_m1() - lv)).sum());
    }
    (z, kl)
}

/// The gradient by head of the sum of dz · z, plus the batch mean of the weighted divergence.
fn backward_oracle(head: &[f64], epsilon: &[f64], dz: &[f64], latent: usize) -> Vec<f64> {
    let weight = f64::from(KL_WEIGHT) * (latent as f64) / (dz.len() as f64);
    let mut dhead = Vec::new();
    for ((head, epsilon), dz) in
        head.chunks(2 * latent).zip(epsilon.chunks(latent)).zip(dz.chunks(latent))
    {
        let (mean, logvar) = head.split_at(latent);
        dhead.extend(mean.iter().zip(dz).map(|(m, dz)| dz + weight * m));
        dhead.extend(
            logvar
                .iter()
                .zip(epsilon)
                .zip(dz)
                .map(|((lv, e), dz)| dz * e * 0.5 * (0.5 * lv).exp() + weight * 0.5 * lv.exp_m1()),
        );
    }
    dhead
}

fn run_forward(
    gpu: &Gpu,
    [rows, latent]: [usize; 2],
    head: &[f32],
    epsilon: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let head = check::input(gpu, &[rows, 2 * latent], head);
    let epsilon = check::input(gpu, &[rows, latent], epsilon);
    let z = Guarded::new(gpu, &[rows, latent]);
    let kl = Guarded::roomy(gpu, &[rows]);
    check::run(gpu, |plan| {
        latent::forward(plan, "test", &head, &epsilon, &z.tensor, &kl.tensor);
    });
    (z.floats(gpu), kl.floats(gpu))
}

fn run_backward(
    gpu: &Gpu,
    [rows, latent]: [usize; 2],
    head: &[f32],
    epsilon: &[f32],
    dz: &[f32],
) -> Vec<f32> {
    let state = State::tensor(gpu, "state");
    State { kl_weight: KL_WEIGHT, learning_rate: 9.0, ..State::default() }.write(gpu, &state);
    let head = check::input(gpu, &[rows, 2 * latent], head);
    let [epsilon, dz] = [epsilon, dz].map(|values| check::input(gpu, &[rows, latent], values));
    let dhead = Guarded::roomy(gpu, &[rows, 2 * latent]);
    check::run(gpu, |plan| {
        latent::backward(plan, "test", &state, &head, &epsilon, &dz, &dhead.tensor);
    });
    dhead.floats(gpu)
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, latent] in SIZES {
        let head = check::random(1, rows * 2 * latent, -3.0..3.0);
        let epsilon = check::random(2, rows * latent, -2.0..2.0);
        let (z, kl) = run_forward(gpu, [rows, latent], &head, &epsilon);
        let (want_z, want_kl) = forward_oracle(&check::wide(&head), &check::wide(&epsilon), latent);
        // z may cancel; its terms are below 12.
        check::assert_each(&format!("z, {rows} x {latent}"), &z, &want_z, 1e-6, 1e-5);
        check::assert_each(&format!("kl, {rows} x {latent}"), &kl, &want_kl, 1e-5, 0.0);
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, latent] in SIZES {
        let head = check::random(3, rows * 2 * latent, -3.0..3.0);
        let epsilon = check::random(4, rows * latent, -2.0..2.0);
        let dz = check::random(5, rows * latent, -1.0..1.0);
        let got = run_backward(gpu, [rows, latent], &head, &epsilon, &dz);
        let [head, epsilon, dz] = [head, epsilon, dz].map(|values| check::wide(&values));
        let want = backward_oracle(&head, &epsilon, &dz, latent);
        check::assert_each(&format!("dhead, {rows} x {latent}"), &got, &want, 1e-6, 1e-5);
        check::assert_norm(&format!("dhead, {rows} x {latent}"), &got, &want, 1e-6);
    }
}

/// Close to the prior the divergence is the small difference of large terms.
#[test]
fn divergence_near_the_prior_keeps_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    let [rows, latent] = [63, 20];
    let head = check::random(6, rows * 2 * latent, -0.01..0.01);
    let epsilon = check::random(7, rows * latent, -2.0..2.0);
    let (_, kl) = run_forward(gpu, [rows, latent], &head, &epsilon);
    let (_, want) = forward_oracle(&check::wide(&head), &check::wide(&epsilon), latent);
    check::assert_each("kl", &kl, &want, 1e-4, 0.0);
}

/// Log-variances of ±80 and huge means: large, but within 32 bits. `exp` may be wrong by 3 + 2|x|
/// units in the last place, here 1e-5.
#[test]
fn extremes_stay_finite() {
    let Some(gpu) = check::gpu() else { return };
    let [rows, latent] = [3, 20];
    let mut head = check::random(8, rows * 2 * latent, -3.0..3.0);
    for (row, logvar) in head.chunks_mut(2 * latent).zip([80.0, -80.0, 40.0]) {
        row[latent..].fill(logvar);
    }
    head[0] = 1e15;
    let epsilon = check::random(9, rows * latent, 0.5..2.0);
    let dz = check::random(10, rows * latent, 0.5..1.0);
    let (z, kl) = run_forward(gpu, [rows, latent], &head, &epsilon);
    let dhead = run_backward(gpu, [rows, latent], &head, &epsilon, &dz);
    let [head, epsilon, dz] = [head, epsilon, dz].map(|values| check::wide(&values));
    let (want_z, want_kl) = forward_oracle(&head, &epsilon, latent);
    assert!(want_kl[0] > 5e35);
    check::assert_each("z", &z, &want_z, 1e-4, 0.0);
    check::assert_each("kl", &kl, &want_kl, 1e-4, 0.0);
    let want = backward_oracle(&head, &epsilon, &dz, latent);
    check::assert_each("dhead", &dhead, &want, 1e-4, 1e-7);
}

/// More rows than most adapters take workgroups along x.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let [rows, latent] = [65_535 + 257, 3];
    let head = check::random(11, rows * 2 * latent, -3.0..3.0);
    let epsilon = check::random(12, rows * latent, -2.0..2.0);
    let (z, kl) = run_forward(gpu, [rows, latent], &head, &epsilon);
    let (want_z, want_kl) = forward_oracle(&check::wide(&head), &check::wide(&epsilon), latent);
    check::assert_each("z", &z, &want_z, 1e-6, 1e-5);
    check::assert_each("kl", &kl, &want_kl, 1e-5, 1e-6);
}

#[test]
fn oracle_gradient_is_the_derivative() {
    let [rows, latent] = [3, 4];
    let wide = |seed, len| check::wide(&check::random(seed, len, -2.0..2.0));
    let [head, epsilon, dz] =
        [wide(13, rows * 2 * latent), wide(14, rows * latent), wide(15, rows * latent)];
    let loss = |head: &[f64]| {
        let (z, kl) = forward_oracle(head, &epsilon, latent);
        let chained: f64 = z.iter().zip(&dz).map(|(z, dz)| z * dz).sum();
        chained + f64::from(KL_WEIGHT) * kl.iter().sum::<f64>() / rows as f64
    };
    check::assert_gradient("dhead", loss, &head, &backward_oracle(&head, &epsilon, &dz, latent));
}
