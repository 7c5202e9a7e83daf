//! Optimizers, schedules and clipping against `torch.optim`: see optimizers.py beside this file.

use serde::Deserialize;
use vae_gpu::config::TrainConfig;
use vae_gpu::gpu::{Gpu, Plan, Recording, Tensor};
use vae_gpu::ops::optimizer::{self, Optimizer, Rule, Update};
use vae_gpu::ops::schedule::Schedule;
use vae_gpu::ops::{State, clip};

use super::{File, common, relative_norm};

#[derive(Deserialize)]
struct Cases {
    rules: Vec<(f64, Rule)>,
    /// Epochs, steps per epoch, and what the configuration has besides.
    schedules: Vec<(u32, usize, TrainConfig)>,
    clips: Vec<f64>,
}

/// Parameters, their gradient and moments on the adapter, and one step of `optimizer` on them.
struct Stepper<'a> {
    gpu: &'a Gpu,
    state: Tensor,
    gradient: Tensor,
    parameter: Tensor,
    /// Where gradients are clipped: the factor, and the norm.
    factor: Option<Tensor>,
    plan: Plan,
}

impl<'a> Stepper<'a> {
    fn new(gpu: &'a Gpu, initial: &[f32], optimizer: &Optimizer, max_norm: Option<f64>) -> Self {
        let tensor = |values: &[f32]| {
            let tensor = Tensor::matrix("test", &[1, initial.len()]);
            tensor.write(gpu, values);
            tensor
        };
        let state = State::tensor("state");
        let (gradient, parameter) = (tensor(&vec![0.0; initial.len()]), tensor(initial));
        let moments = [0.0, optimizer.rule.initial_second_moment() as f32];
        let [first, second] = moments.map(|moment| tensor(&vec![moment; initial.len()]));
        let mut recording = Recording::new(gpu.report());
        let factor = max_norm.map(|max_norm| {
            let squares = clip::squares(&mut recording, "test", &gradient);
            clip::factor(&mut recording, "test", &squares, max_norm)
        });
        let moments = [&first, &second];
        let update = Update { optimizer, state: &state, parameter: &parameter, moments };
        optimizer::step(&mut recording, "test", &update, &gradient, factor.as_ref());
        let plan = recording.compile(gpu);
        Self { gpu, state, gradient, parameter, factor, plan }
    }

    fn step(&self, step: u32, gradient: &[f32]) -> Vec<f32> {
        State { step, ..State::default() }.write(self.gpu, &self.state);
        self.gradient.write(self.gpu, gradient);
        self.plan.run();
        self.parameter.read(self.gpu).unwrap()
    }
}

#[test]
fn rules_are_pytorchs() {
    let Some(gpu) = common::gpu() else { return };
    let file = File::read("optimizers.safetensors");
    let (initial, gradients) = (file.singles("initial"), file.singles("gradients"));
    let len = initial.len();
    let cases: Cases = file.config();
    for (i, (learning_rate, rule)) in cases.rules.into_iter().enumerate() {
        let learning_rate = Schedule::constant(learning_rate);
        let stepper = Stepper::new(&gpu, &initial, &Optimizer { rule, learning_rate }, None);
        let expected = file.floats(&format!("rule.{i}"));
        let steps = gradients.chunks(len).zip(expected.chunks(len));
        for (step, (gradient, expected)) in (0..).zip(steps) {
            // As 64 bits have it: what 32 lose of a parameter is more than we ask of its update.
            let moved = |values: Vec<f64>| -> Vec<f32> {
                let moved = values.iter().zip(&initial).map(|(p, &i)| p - f64::from(i));
                moved.map(|p| p as f32).collect()
            };
            let got = stepper.step(step, gradient).into_iter().map(f64::from).collect();
            let error = relative_norm(&moved(got), &moved(expected.to_vec()));
            assert!(error < 1e-5, "{rule:?}, step {step}: off by {error:e}");
        }
    }
}

#[test]
fn schedules_are_pytorchs() {
    let Some(gpu) = common::gpu() else { return };
    let file = File::read("optimizers.safetensors");
    let cases: Cases = file.config();
    for (i, (epochs, steps_per_epoch, config)) in cases.schedules.into_iter().enumerate() {
        let config = TrainConfig { epochs, ..config };
        let Optimizer { learning_rate, .. } = config.optimizer(steps_per_epoch);
        // From zero along a slope of -1, plain descent arrives at the learning rate.
        let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let expected = file.floats(&format!("schedule.{i}"));
        assert_eq!(expected.len(), epochs as usize * steps_per_epoch);
        let stepper = Stepper::new(&gpu, &[0.0], &Optimizer { rule, learning_rate }, None);
        for (step, expected) in (0..).zip(expected) {
            stepper.parameter.write(&gpu, &[0.0f32]);
            let got = f64::from(stepper.step(step, &[-1.0])[0]);
            let error = (got / expected - 1.0).abs();
            assert!(error < 1e-6, "{config:?}, step {step}: {got:e}, not {expected:e}");
            let error = (learning_rate.at(step) / expected - 1.0).abs();
            assert!(error < 1e-12, "{config:?}, step {step}, on the host: not {expected:e}");
        }
    }
}

#[test]
fn clipping_is_pytorchs() {
    let Some(gpu) = common::gpu() else { return };
    let file = File::read("optimizers.safetensors");
    let cases: Cases = file.config();
    let clips = file.singles("clips");
    let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let optimizer = Optimizer { rule, learning_rate: Schedule::constant(1.0) };
    let same = |a: f32, b: f32| (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * b.abs();
    for (i, &max_norm) in cases.clips.iter().enumerate() {
        for (row, gradient) in clips.chunks(clips.len() / 3).enumerate() {
            let zeros = vec![0.0; gradient.len()];
            let stepper = Stepper::new(&gpu, &zeros, &optimizer, Some(max_norm));
            let expected = file.singles(&format!("clip.{i}.{row}.gradient"));
            let got = stepper.step(0, gradient);
            let all = got.iter().zip(&expected).all(|(&got, &want)| same(-got, want));
            assert!(all, "row {row} clipped to {max_norm}: {got:?}, not {expected:?}");
            let norm = file.singles(&format!("clip.{i}.{row}.norm"))[0];
            let got = stepper.factor.as_ref().unwrap().read::<f32>(&gpu).unwrap()[1];
            assert!(same(got, norm) || got == norm, "row {row}: a norm of {got}, not {norm}");
        }
    }
}
