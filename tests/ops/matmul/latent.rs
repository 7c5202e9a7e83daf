//! Reparameterization and its divergence, in the epilogues of `forward_latent` and `backward_latent`.

use vae_gpu::gpu::Gpu;

use super::forms::{Case, KL_WEIGHT};
use super::{oracle, run};
use crate::check;

/// Rows and latent variables.
type Sizes = [usize; 2];

/// head, given to `forward_latent` as it is to come out: z and the divergence.
fn run_forward(gpu: &Gpu, [rows, latent]: Sizes, head: &[f32], epsilon: &[f32]) -> (Vec<f32>, f32) {
    let mut case = Case::identity("forward_latent", rows, 2 * latent, head);
    assert_eq!(case.sizes, [rows, 2 * latent, 2 * latent]);
    case = case.with("epsilon", epsilon);
    let (written, kl) = run::by_wrapper(gpu, &case, Some(run::small()));
    let [got_head, z] = written.try_into().unwrap();
    assert_eq!(got_head, head, "a product by one");
    (z, kl.unwrap() as f32)
}

/// dhead from dz, given to `backward_latent` as it is to come out of the product.
fn run_backward(
    gpu: &Gpu,
    [rows, latent]: Sizes,
    head: &[f32],
    epsilon: &[f32],
    dz: &[f32],
) -> Vec<f32> {
    let case = Case::identity("backward_latent", rows, latent, dz);
    let case = case.with("head", head).with("epsilon", epsilon);
    run::by_wrapper(gpu, &case, Some(run::small())).0.swap_remove(0)
}

#[test]
fn values_and_slopes_are_right_one_by_one() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, latent] in [[1, 1], [63, 2], [257, 20], [5, 63], [3, 257], [1757, 1], [64, 64]] {
        let head = check::random(3, rows * 2 * latent, -3.0..3.0);
        let epsilon = check::random(4, rows * latent, -2.0..2.0);
        let dz = check::random(5, rows * latent, -1.0..1.0);
        let (z, kl) = run_forward(gpu, [rows, latent], &head, &epsilon);
        let dhead = run_backward(gpu, [rows, latent], &head, &epsilon, &dz);
        let [head, epsilon, dz] = [head, epsilon, dz].map(|values| check::wide(&values));
        let (want_z, want_kl) = oracle::latent(&head, &epsilon, latent);
        // z may cancel; its terms are below 12.
        check::assert_each(&format!("z, {rows} x {latent}"), &z, &want_z, 1e-6, 1e-5);
        check::assert_each(&format!("kl, {rows} x {latent}"), &[kl], &[want_kl], 1e-5, 0.0);
        let want = oracle::latent_slope(&head, &epsilon, &dz, latent, KL_WEIGHT.into());
        check::assert_each(&format!("dhead, {rows} x {latent}"), &dhead, &want, 1e-6, 1e-5);
        check::assert_norm(&format!("dhead, {rows} x {latent}"), &dhead, &want, 1e-6);
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
    let (_, want) = oracle::latent(&check::wide(&head), &check::wide(&epsilon), latent);
    check::assert_each("kl", &[kl], &[want], 1e-4, 0.0);
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
        let (z, kl) = run_forward(gpu, [1, latent], &head, &epsilon);
        let dhead = run_backward(gpu, [1, latent], &head, &epsilon, &dz);
        let [head, epsilon, dz] = [head, epsilon, dz].map(|values| check::wide(&values));
        let (want_z, want_kl) = oracle::latent(&head, &epsilon, latent);
        assert!(logvar < 80.0 || want_kl > 5e35);
        check::assert_each("z", &z, &want_z, 1e-4, 0.0);
        check::assert_each("kl", &[kl], &[want_kl], 1e-4, 0.0);
        let want = oracle::latent_slope(&head, &epsilon, &dz, latent, KL_WEIGHT.into());
        check::assert_each("dhead", &dhead, &want, 1e-4, 1e-7);
    }
}
