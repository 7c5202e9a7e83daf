use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::report::{self, Report};

use crate::check::{self, Guarded};

/// Every field different, to show which are left alone.
const BEFORE: State = State { step: 11, epoch: 12, row: 13, images: 5000 };
/// The sums before the test: the terms' older parts, then their recent ones.
const SUMS: [f32; 6] = [0.25, 0.5, 0.75, 100.0, 200.0, 300.0];

/// A state among poison.
fn upload(gpu: &Gpu, state: &State) -> Guarded {
    let words: [u32; State::WORDS] = bytemuck::cast(*state);
    Guarded::roomy(gpu, &[State::WORDS]).fill(gpu, &words)
}

fn read(gpu: &Gpu, state: &Guarded) -> State {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&state.words(gpu)))
}

fn mean(before: f32, values: &[f32], images: u32) -> f64 {
    f64::from(before) + check::wide(values).iter().sum::<f64>() / f64::from(images)
}

#[test]
pub fn accumulate() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, count] in [[1, 1], [7, 63], [128, 64], [3, 257], [20, 1757]] {
        for (term, share) in [(0, 1.0), (2, 0.2)] {
            let losses = check::random(1, count, 50.0..600.0);
            let (state, sums) = (upload(gpu, &BEFORE), Guarded::new(gpu, &[6]).fill(gpu, &SUMS));
            let values = &check::input(gpu, &[count], &losses);
            check::run(gpu, |recording| {
                // Only the last term ends the step.
                for (term, rows) in [(1, 0), (term, rows)] {
                    let report = Report { values, share, term, rows };
                    report::accumulate(recording, "test", &report, &state.tensor, &sums.tensor);
                }
            });
            let what = format!("{count} values of term {term}");
            let added = share * mean(0.0, &losses, 5000);
            let is_added = |i: usize| i == 3 + 1 || i == 3 + term;
            let want = [0, 1, 2, 3, 4, 5]
                .map(|i| f64::from(SUMS[i]) + if is_added(i) { added } else { 0.0 });
            check::assert_each(&what, &sums.floats(gpu), &want, 1e-6, 0.0);
            let (step, row) = (BEFORE.step + 1, BEFORE.row + rows as u32);
            assert_eq!(read(gpu, &state), State { step, row, ..BEFORE }, "{what}");
        }
    }
}

/// An epoch of 60,000 images whose losses are so large that their sum, and that of a large batch,
/// unlike their mean, is past the 32-bit floats.
#[test]
fn an_epoch_of_huge_losses_has_a_finite_mean() {
    let Some(gpu) = check::gpu() else { return };
    let images = 60_000;
    for (batch, losses) in [128, 4096].into_iter().flat_map(|b| [(b, 5.5e2f32), (b, 5.5e35)]) {
        let recon = check::random(3, batch, 0.9 * losses..1.1 * losses);
        let state = upload(gpu, &State { images, ..State::default() });
        let sums = Tensor::zeros("sums", &[2]);
        let mut recording = Recording::new(gpu.report());
        let mut want = 0.0;
        for first in (0..images).step_by(batch) {
            let rows = batch.min((images - first) as usize);
            let on_recon = check::input(gpu, &[rows], &recon[..rows]);
            let report = Report { values: &on_recon, share: 1.0, term: 0, rows };
            report::accumulate(&mut recording, "test", &report, &state.tensor, &sums);
            want += mean(0.0, &recon[..rows], images);
        }
        recording.compile(gpu).run();
        let after = read(gpu, &state);
        // Up to 469 additions, each rounded to 2⁻²⁴ of the sum so far, at worst all one way.
        let sums = sums.read::<f32>(gpu).unwrap();
        check::assert_each("mean", &sums[1..], &[want], 2e-5, 0.0);
        let steps = images.div_ceil(batch as u32);
        assert_eq!([after.step, after.row, after.epoch], [steps, images, 0]);
    }
}

/// The last of 16 million images: a single sum of 500 nats would round half of what each step adds away.
#[test]
fn late_steps_of_a_long_epoch_count_as_early_ones() {
    let Some(gpu) = check::gpu() else { return };
    let images = 1 << 24;
    let state = upload(gpu, &State { images, step: 1 << 23, ..State::default() });
    let values = &check::input(gpu, &[1], &[383.0f32]);
    let sums = Tensor::new(gpu, "sums", &[2], &[500.0f32, 0.0]);
    let mut recording = Recording::new(gpu.report());
    for _ in 0..1500 {
        let report = Report { values, share: 1.0, term: 0, rows: 1 };
        report::accumulate(&mut recording, "test", &report, &state.tensor, &sums);
    }
    recording.compile(gpu).run();
    let [older, recent] = sums.read::<f32>(gpu).unwrap()[..] else { panic!("two parts") };
    let each = 383.0 / f64::from(images);
    check::assert_each("older", &[older], &[500.0 + 1024.0 * each], 0.0, 2e-5);
    check::assert_each("recent", &[recent], &[476.0 * each], 1e-5, 0.0);
}

/// The count, not the binding, ends the sum.
#[test]
fn terms_behind_the_last_are_not_read() {
    let Some(gpu) = check::gpu() else { return };
    let recon = check::random(5, 63, 50.0..600.0);
    let (state, sums) = (upload(gpu, &BEFORE), Guarded::new(gpu, &[6]).fill(gpu, &SUMS));
    let on_recon = check::roomy_input(gpu, &[63], &recon);
    check::run(gpu, |recording| {
        let tensors = [("values", &on_recon), ("state", &state.tensor), ("sums", &sums.tensor)];
        let kernel = report::SHADER.kernel("accumulate", &[]);
        let params = json!({ "rows": 9, "count": 63, "term": 0, "terms": 3, "share": 1.0 });
        recording.record_flat(kernel, "test", &params, &tensors, 1);
    });
    let after = read(gpu, &state);
    let want = mean(SUMS[3], &recon, 5000);
    check::assert_each("sum", &sums.floats(gpu)[3..4], &[want], 1e-6, 0.0);
    assert_eq!(after.row, BEFORE.row + 9);
}
