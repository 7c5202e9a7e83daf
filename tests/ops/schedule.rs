use vae_gpu::gpu::{Gpu, Recording};
use vae_gpu::ops::State;
use vae_gpu::ops::optimizer::{self, Optimizer, Rule, Update};
use vae_gpu::ops::schedule::{Course, Schedule};

use crate::check;
use crate::optimizer::write_state;

/// The learning rates that the kernels have at `steps`: plain descent from zero along -1.
fn rates(gpu: &Gpu, learning_rate: Schedule, steps: &[u32]) -> Vec<f32> {
    let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let state = State::tensor("state");
    let gradient = check::input(gpu, &[4], &[-1.0f32; 4]);
    let [parameter, first, second] = [(); 3].map(|()| check::input(gpu, &[4], &[0.0f32; 4]));
    let (optimizer, moments) = (&Optimizer { rule, learning_rate }, [&first, &second]);
    let update = Update { optimizer, state: &state, parameter: &parameter, moments };
    let mut recording = Recording::new(gpu.report());
    optimizer::step(&mut recording, "test", &update, &gradient, None);
    let plan = recording.compile(gpu);
    let rate = |&step: &u32| {
        write_state(gpu, &state, step);
        parameter.write(gpu, &[0.0f32; 4]);
        plan.run();
        parameter.read::<f32>(gpu).unwrap()[0]
    };
    steps.iter().map(rate).collect()
}

#[test]
fn the_kernels_rates_are_the_hosts() {
    let Some(gpu) = check::gpu() else { return };
    let cosine = |horizon, minimum| Course::Cosine { horizon, minimum };
    let decay = |period, factor| Course::Decay { period, factor };
    let all: Vec<u32> = (0..60).collect();
    let far = [0, 1, 2, 999, 1000, 7_777, 65_535, 499_999, 500_000, 999_990, 999_999, 1_000_000];
    let farther = [1, 1 << 24, (1 << 24) + 1, 2_999_999_000, 2_999_999_999, u32::MAX];
    for (course, warmup, steps) in [
        (Course::Constant, 0, &all[..]),
        (Course::Constant, 20, &all),
        (Course::Constant, 1, &all),
        (cosine(50, 0.0), 0, &all),
        (cosine(50, 1e-4), 7, &all),
        (cosine(1, 0.0), 0, &all[..3]),
        (cosine(1_000_000, 0.0), 0, &far),
        (cosine(1_000_000, 1e-6), 1000, &far),
        (cosine(3_000_000_000, 1e-5), 0, &farther),
        (decay(3, 0.5), 0, &all),
        (decay(1, 0.1), 0, &all[..30]),
        (decay(1, 0.95), 4, &all),
        (decay(1, 1.0), 0, &all),
        (decay(900, 0.93), 1000, &far),
        (decay(1, 0.9999), 0, &far[..6]),
        (decay(1_000_000, 0.97), 0, &farther),
    ] {
        let schedule = Schedule { base: 3e-3, course, warmup, warmup_start: 0.02 };
        let want: Vec<_> = steps.iter().map(|&step| schedule.at(step)).collect();
        // A rate that 32 bits cannot hold is zero.
        let got = rates(gpu, schedule, steps);
        check::assert_each(&format!("{schedule:?}"), &got, &want, 1e-6, 1e-37);
    }
}

/// Worked out by hand.
#[test]
fn the_hosts_rates_are_the_definitions() {
    let course = Course::Cosine { horizon: 4, minimum: 1.0 };
    let half = 0.5f64.sqrt();
    let cosine = [5.0, 3.0 + 2.0 * half, 3.0, 3.0 - 2.0 * half, 1.0, 1.0];
    let decay = Course::Decay { period: 2, factor: 0.5 };
    for (course, warmup, want) in [
        (Course::Constant, 0, [5.0; 6]),
        (Course::Constant, 4, [1.0, 2.0, 3.0, 4.0, 5.0, 5.0]),
        (course, 0, cosine),
        (course, 2, [1.0, 0.6 * cosine[1], cosine[2], cosine[3], 1.0, 1.0]),
        (decay, 0, [5.0, 5.0, 2.5, 2.5, 1.25, 1.25]),
        (decay, 4, [1.0, 2.0, 1.5, 2.0, 1.25, 1.25]),
    ] {
        let schedule = Schedule { base: 5.0, course, warmup, warmup_start: 0.2 };
        for (step, want) in (0..).zip(want) {
            let got = schedule.at(step);
            assert!((got - want).abs() < 1e-12, "{schedule:?} at {step}: {got}, not {want}");
        }
    }
}
