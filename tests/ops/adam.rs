use vae_gpu::gpu::{Gpu, Plan, Tensor};
use vae_gpu::ops::{State, adam};

use crate::check::{self, Guarded};

pub const LEARNING_RATE: f32 = 1e-3;

/// `torch.optim.Adam`'s single-tensor step, in f64.
pub struct Oracle {
    pub parameter: Vec<f64>,
    pub mean: Vec<f64>,
    pub square: Vec<f64>,
}

impl Oracle {
    pub fn new(parameter: &[f32]) -> Self {
        let zeros = vec![0.0; parameter.len()];
        Self { parameter: check::wide(parameter), mean: zeros.clone(), square: zeros }
    }

    pub fn step(&mut self, step: u32, gradient: &[f64]) {
        let (beta1, beta2, epsilon) = (0.9f64, 0.999f64, 1e-8);
        let t = f64::from(step + 1);
        let correction1 = 1.0 - beta1.powf(t);
        let correction2 = 1.0 - beta2.powf(t);
        let step_size = f64::from(LEARNING_RATE) / correction1;
        for (i, &g) in gradient.iter().enumerate() {
            self.mean[i] = beta1 * self.mean[i] + (1.0 - beta1) * g;
            self.square[i] = beta2 * self.square[i] + (1.0 - beta2) * g * g;
            let denominator = self.square[i].sqrt() / correction2.sqrt() + epsilon;
            self.parameter[i] -= step_size * self.mean[i] / denominator;
        }
    }
}

/// Gradients from 1e-4 to 1e2, of both signs.
fn gradients(seed: u64, len: usize) -> Vec<f32> {
    let exponents = check::random(seed, len, -4.0..2.0);
    let signs = check::random(seed + 1000, len, -1.0..1.0);
    exponents.iter().zip(signs).map(|(e, s)| 10f32.powf(*e).copysign(s)).collect()
}

pub fn write_state(gpu: &Gpu, state: &Tensor, step: u32) {
    let values = State { step, learning_rate: LEARNING_RATE, ..State::default() };
    values.write(gpu, state);
}

/// What the steps have added to the parameters must be right to 1e-5.
pub fn assert_updates(what: &str, initial: &[f32], got: &[f32], want: &[f64]) {
    let got: Vec<_> = got.iter().zip(initial).map(|(a, b)| a - b).collect();
    let want: Vec<_> = want.iter().zip(initial).map(|(a, &b)| a - f64::from(b)).collect();
    check::assert_norm(what, &got, &want, 1e-5);
}

/// Twenty steps with a fresh gradient each, the count taken from the state.
#[test]
pub fn step() {
    let Some(gpu) = check::gpu() else { return };
    for len in [4, 64, 260, 1760] {
        // Small parameters, so that their own rounding does not hide that of the updates.
        let initial = check::random(1, len, 1e-4..2e-4);
        let mut oracle = Oracle::new(&initial);
        let zeros = vec![0.0f32; len];
        let state = State::tensor(gpu, "state");
        let gradient = check::input(gpu, &[len], &zeros);
        let parameter = Guarded::new(gpu, &[len]).fill(gpu, &initial);
        let mean = Guarded::new(gpu, &[len]).fill(gpu, &zeros);
        let square = Guarded::new(gpu, &[len]).fill(gpu, &zeros);
        let mut plan = Plan::new(gpu);
        let [p, m, s] = [&parameter, &mean, &square].map(|guarded| &guarded.tensor);
        adam::step(&mut plan, "test", &state, &gradient, p, m, s);

        for step in 0..20 {
            let values = gradients(u64::from(step), len);
            gradient.write(gpu, &values);
            write_state(gpu, &state, step);
            plan.run();
            oracle.step(step, &check::wide(&values));
            let what = format!("{len} parameters, step {step}");
            assert_updates(&what, &initial, &parameter.floats(gpu), &oracle.parameter);
        }
        check::assert_norm("mean", &mean.floats(gpu), &oracle.mean, 1e-6);
        check::assert_norm("square", &square.floats(gpu), &oracle.square, 1e-6);
    }
}

/// One step from given moments at `step`: the kernel's parameters and the oracle's.
fn one_step(gpu: &Gpu, step: u32, initial: &[f32], moments: [f32; 2]) -> (Vec<f32>, Vec<f64>) {
    let len = initial.len();
    let gradient = gradients(7, len);
    let mut oracle = Oracle::new(initial);
    oracle.mean.fill(moments[0].into());
    oracle.square.fill(moments[1].into());
    oracle.step(step, &check::wide(&gradient));

    let state = State::tensor(gpu, "state");
    write_state(gpu, &state, step);
    let gradient = check::input(gpu, &[len], &gradient);
    let parameter = Guarded::new(gpu, &[len]).fill(gpu, initial);
    let [mean, square] = moments.map(|value| check::input(gpu, &[len], &vec![value; len]));
    check::run(gpu, |plan| {
        adam::step(plan, "test", &state, &gradient, &parameter.tensor, &mean, &square);
    });
    (parameter.floats(gpu), oracle.parameter)
}

/// At the first step the bias corrections divide a moment by 1 - beta, which in 32 bits would cost
/// four digits; every parameter moves by the learning rate.
#[test]
fn first_step_has_all_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    let initial = check::random(8, 260, 1e-5..2e-5);
    let (got, want) = one_step(gpu, 0, &initial, [0.0, 0.0]);
    for ((got, want), initial) in got.iter().zip(want).zip(&initial) {
        let [got, want] = [f64::from(*got), want].map(|p| p - f64::from(*initial));
        assert!((got / want - 1.0).abs() < 1e-5, "moved by {got:e}, not {want:e}");
        assert!((got.abs() / f64::from(LEARNING_RATE) - 1.0).abs() < 2e-4, "moved by {got:e}");
    }
}

#[test]
fn bias_corrections_follow_the_step_count() {
    let Some(gpu) = check::gpu() else { return };
    let initial = check::random(9, 64, 1e-4..2e-4);
    for step in [1, 2, 9, 99, 999, 9_999, 99_999, 9_999_999] {
        let (got, want) = one_step(gpu, step, &initial, [0.3, 0.5]);
        assert_updates(&format!("step {step}"), &initial, &got, &want);
    }
}

/// The count, not the bindings or the grid, ends the work. What lies behind it is no poison here: a
/// step on NaN leaves NaN.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (count, bound) = (60, 600);
    let values = check::random(10, bound, 0.5..1.0);
    let state = State::tensor(gpu, "state");
    write_state(gpu, &state, 0);
    let gradient = check::input(gpu, &[bound], &check::random(11, bound, 0.5..1.0));
    let outputs = ["parameter", "first_moment", "second_moment"]
        .map(|name| (name, Guarded::new(gpu, &[bound]).fill(gpu, &values)));
    // Params of the shader: epsilon, beta2, 1 - beta1, 1 - beta2, the logarithms, padding, and the
    // count in quads.
    let floats = [1e-8, 0.999, 0.1, 0.001, 0.9f32.ln(), 0.999f32.ln()];
    let mut params = [0; 12];
    params[..6].copy_from_slice(&floats.map(f32::to_bits));
    params[8] = count as u32 / 4;
    check::run(gpu, |plan| {
        let mut tensors = vec![("state", &state), ("gradient", &gradient)];
        tensors.extend(outputs.iter().map(|(name, output)| (*name, &output.tensor)));
        let kernel = gpu.kernel(&adam::SHADER, "step", &[]);
        plan.record_flat(kernel, "test", &params, &tensors, 3);
    });
    for (name, output) in outputs {
        let after = output.floats(gpu);
        assert!(after[..count] != values[..count], "{name} has not moved");
        assert!(after[count..] == values[count..], "{name} moved behind {count} elements");
    }
}
