use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::optimizer::{self, Optimizer, Rule, Update};
use vae_gpu::ops::schedule::{Course, Schedule};

use crate::check::{self, Guarded};

pub const LEARNING_RATE: f64 = 1e-3;

/// The algorithms of `torch.optim`'s documentation, in f64.
pub struct Oracle {
    optimizer: Optimizer,
    pub parameter: Vec<f64>,
    pub first: Vec<f64>,
    pub second: Vec<f64>,
}

impl Oracle {
    pub fn new(optimizer: Optimizer, parameter: &[f32]) -> Self {
        let of = |value| vec![value; parameter.len()];
        let second = of(optimizer.rule.initial_second_moment());
        Self { optimizer, parameter: check::wide(parameter), first: of(0.0), second }
    }

    pub fn step(&mut self, step: u32, gradient: &[f64]) {
        let rate = self.optimizer.learning_rate.at(step);
        for (i, &g) in gradient.iter().enumerate() {
            let (p, b, v) = (&mut self.parameter[i], &mut self.first[i], &mut self.second[i]);
            match self.optimizer.rule {
                Rule::Sgd { momentum, nesterov, weight_decay } => {
                    let g = g + weight_decay * *p;
                    let mut by = g;
                    if momentum != 0.0 {
                        *b = if step == 0 { g } else { momentum * *b + g };
                        by = if nesterov { g + momentum * *b } else { *b };
                    }
                    *p -= rate * by;
                }
                Rule::RmsProp { alpha, epsilon, momentum, weight_decay } => {
                    let g = g + weight_decay * *p;
                    *v = alpha * *v + (1.0 - alpha) * g * g;
                    let mut by = g / (v.sqrt() + epsilon);
                    if momentum > 0.0 {
                        *b = momentum * *b + by;
                        by = *b;
                    }
                    *p -= rate * by;
                }
                Rule::Adagrad { lr_decay, epsilon, weight_decay, .. } => {
                    let g = g + weight_decay * *p;
                    *v += g * g;
                    *p -= rate / (1.0 + f64::from(step) * lr_decay) * g / (v.sqrt() + epsilon);
                }
                Rule::Adam { beta1, beta2, epsilon, weight_decay }
                | Rule::AdamW { beta1, beta2, epsilon, weight_decay } => {
                    let mut g = g;
                    if self.optimizer.rule.name() == "adamw" {
                        *p -= rate * weight_decay * *p;
                    } else {
                        g += weight_decay * *p;
                    }
                    *b = beta1 * *b + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    let t = f64::from(step + 1);
                    let mean = *b / (1.0 - beta1.powf(t));
                    let square = *v / (1.0 - beta2.powf(t));
                    *p -= rate * mean / (square.sqrt() + epsilon);
                }
            }
        }
    }
}

/// Every rule, plain and with all that it has, with the given decay of weights.
pub fn rules(weight_decay: f64) -> Vec<Rule> {
    let sgd = |momentum, nesterov| Rule::Sgd { momentum, nesterov, weight_decay };
    let rmsprop = |momentum| Rule::RmsProp { alpha: 0.95, epsilon: 1e-7, momentum, weight_decay };
    let adagrad = |lr_decay, initial_accumulator_value| {
        let epsilon = 1e-9;
        Rule::Adagrad { lr_decay, epsilon, initial_accumulator_value, weight_decay }
    };
    let (beta1, beta2, epsilon) = (0.8, 0.99, 1e-7);
    vec![
        sgd(0.0, false),
        sgd(0.9, false),
        sgd(0.7, true),
        rmsprop(0.0),
        rmsprop(0.6),
        adagrad(0.0, 0.0),
        adagrad(0.1, 1e-8),
        Rule::default(),
        Rule::Adam { beta1, beta2, epsilon, weight_decay },
        Rule::AdamW { beta1, beta2, epsilon, weight_decay },
    ]
}

pub fn constant(rule: Rule) -> Optimizer {
    Optimizer { rule, learning_rate: Schedule::constant(LEARNING_RATE) }
}

/// Gradients of sizes between powers of ten, of both signs, three of four positive: steps should not
/// cancel to nothing.
fn gradients(seed: u64, len: usize, powers: std::ops::Range<f32>) -> Vec<f32> {
    let exponents = check::random(seed, len, powers);
    let signs = check::random(seed + 1000, len, -1.0..3.0);
    exponents.iter().zip(signs).map(|(e, s)| 10f32.powf(*e).copysign(s)).collect()
}

pub fn write_state(gpu: &Gpu, state: &Tensor, step: u32) {
    State { step, epoch: 3, ..State::default() }.write(gpu, state);
}

/// Asserts that the sum of the steps is right to 1e-5 of its norm.
pub fn assert_updates(what: &str, initial: &[f32], got: &[f32], want: &[f64]) {
    let got: Vec<_> = got.iter().zip(initial).map(|(a, b)| a - b).collect();
    let want: Vec<_> = want.iter().zip(initial).map(|(a, &b)| a - f64::from(b)).collect();
    check::assert_norm(what, &got, &want, 1e-5);
}

/// Twenty steps with a fresh gradient each, the count taken from the state.
fn twenty_steps(gpu: &Gpu, len: usize, optimizer: Optimizer, powers: std::ops::Range<f32>) {
    // Small parameters, so that their own rounding does not hide that of the updates.
    let initial = check::random(1, len, 1e-4..2e-4);
    let mut oracle = Oracle::new(optimizer, &initial);
    let state = State::tensor("state");
    // Matrices of one row, so that what makes up fours must stay zero.
    let guarded = |values: &[f32]| Guarded::new(gpu, &[1, len]).fill(gpu, values);
    let gradient = guarded(&vec![0.0; len]).tensor;
    let parameter = guarded(&initial);
    let first = guarded(&vec![0.0; len]);
    let second = guarded(&vec![optimizer.rule.initial_second_moment() as f32; len]);
    let moments = [&first.tensor, &second.tensor];
    let (optimizer, state) = (&optimizer, &state);
    let update = Update { optimizer, state, parameter: &parameter.tensor, moments };
    let mut recording = Recording::new(gpu.report());
    optimizer::step(&mut recording, "test", &update, &gradient, None);
    let plan = recording.compile(gpu);

    let what = format!("{len} parameters, {optimizer:?}");
    for step in 0..20 {
        let values = gradients(u64::from(step), len, powers.clone());
        gradient.write(gpu, &values);
        write_state(gpu, state, step);
        plan.run();
        oracle.step(step, &check::wide(&values));
        let what = format!("{what}, step {step}");
        assert_updates(&what, &initial, &parameter.floats(gpu), &oracle.parameter);
    }
    check::assert_norm(&format!("{what}, first"), &first.floats(gpu), &oracle.first, 2e-6);
    check::assert_norm(&format!("{what}, second"), &second.floats(gpu), &oracle.second, 2e-6);
}

#[test]
pub fn step() {
    let Some(gpu) = check::gpu() else { return };
    for rule in rules(0.0) {
        for len in [1, 63, 257, 1757] {
            twenty_steps(gpu, len, constant(rule), -4.0..2.0);
        }
    }
    // Gradients of the size of parameters times decay, and steps that let it show: they are as the
    // gradient for sgd, and of one size for the others.
    for rule in rules(2.0) {
        let rate = if rule.name() == "sgd" { 0.03 } else { 1e-5 };
        let learning_rate = Schedule::constant(rate);
        twenty_steps(gpu, 257, Optimizer { rule, learning_rate }, -5.0..-3.0);
    }
    for rule in rules(0.0) {
        let course = Course::Cosine { horizon: 19, minimum: 1e-4 };
        let learning_rate = Schedule { base: 2e-3, course, warmup: 5, warmup_start: 0.1 };
        twenty_steps(gpu, 63, Optimizer { rule, learning_rate }, -4.0..2.0);
    }
}

/// One step from given moments at `step`: the kernel's parameters and the oracle's.
fn one_step(
    gpu: &Gpu,
    rule: Rule,
    step: u32,
    initial: &[f32],
    moments: [f32; 2],
) -> (Vec<f32>, Vec<f64>) {
    let len = initial.len();
    let gradient = gradients(7, len, -4.0..2.0);
    let mut oracle = Oracle::new(constant(rule), initial);
    oracle.first.fill(moments[0].into());
    oracle.second.fill(moments[1].into());
    oracle.step(step, &check::wide(&gradient));

    let state = State::tensor("state");
    write_state(gpu, &state, step);
    let gradient = check::input(gpu, &[len], &gradient);
    let parameter = Guarded::new(gpu, &[len]).fill(gpu, initial);
    let [first, second] = moments.map(|value| check::input(gpu, &[len], &vec![value; len]));
    let (optimizer, moments) = (&constant(rule), [&first, &second]);
    let update = Update { optimizer, state: &state, parameter: &parameter.tensor, moments };
    check::run(gpu, |recording| optimizer::step(recording, "test", &update, &gradient, None));
    (parameter.floats(gpu), oracle.parameter)
}

/// At the first step the bias corrections divide a moment by 1 - beta, which in 32 bits would cost
/// four digits; every parameter moves by the learning rate.
#[test]
fn adams_first_step_has_all_its_digits() {
    let Some(gpu) = check::gpu() else { return };
    let initial = check::random(8, 260, 1e-5..2e-5);
    let (got, want) = one_step(gpu, Rule::default(), 0, &initial, [0.0, 0.0]);
    for ((got, want), initial) in got.iter().zip(want).zip(&initial) {
        let [got, want] = [f64::from(*got), want].map(|p| p - f64::from(*initial));
        assert!((got / want - 1.0).abs() < 1e-5, "moved by {got:e}, not {want:e}");
        assert!((got.abs() / LEARNING_RATE - 1.0).abs() < 2e-4, "moved by {got:e}");
    }
}

#[test]
fn corrections_follow_the_step_count() {
    let Some(gpu) = check::gpu() else { return };
    let initial = check::random(9, 64, 1e-8..2e-8);
    // Without memory, Adam is the sign of the gradient, and logarithms of betas are infinite.
    let none = Rule::Adam { beta1: 0.0, beta2: 0.0, epsilon: 1e-8, weight_decay: 0.0 };
    for rule in rules(0.0).into_iter().chain([none]) {
        for step in [1, 2, 9, 99, 999, 9_999, 99_999, 9_999_999] {
            let (got, want) = one_step(gpu, rule, step, &initial, [0.3, 0.5]);
            assert_updates(&format!("{rule:?}, step {step}"), &initial, &got, &want);
        }
    }
}

/// The moments that a rule has no use for are not written, and poison in them does no harm.
#[test]
fn rules_leave_alone_what_they_do_not_need() {
    let Some(gpu) = check::gpu() else { return };
    let initial = check::random(11, 64, 1e-4..2e-4);
    let (sgd, rmsprop) = (rules(0.0)[0], rules(0.0)[3]);
    for (rule, moments) in
        [(sgd, [f32::NAN; 2]), (rmsprop, [f32::NAN, 0.5]), (rules(0.0)[1], [0.5, f32::NAN])]
    {
        let (got, want) = one_step(gpu, rule, 5, &initial, moments);
        assert_updates(&format!("{rule:?}"), &initial, &got, &want);
    }
}

/// The first element of `factor` multiplies the gradient before the decay of weights is added.
#[test]
fn the_factor_is_the_gradients_alone() {
    let Some(gpu) = check::gpu() else { return };
    let (len, factor) = (65, 0.125);
    let initial = check::random(12, len, 1e-4..2e-4);
    let gradient = gradients(13, len, -5.0..-3.0);
    let learning_rate = Schedule::constant(0.1);
    for rule in rules(2.0) {
        let optimizer = Optimizer { rule, learning_rate };
        let mut oracle = Oracle::new(optimizer, &initial);
        oracle.step(0, &gradient.iter().map(|g| factor * f64::from(*g)).collect::<Vec<_>>());
        let state = State::tensor("state");
        write_state(gpu, &state, 0);
        let parameter = Guarded::new(gpu, &[1, len]).fill(gpu, &initial);
        let gradient = check::input(gpu, &[1, len], &gradient);
        let factor = check::input(gpu, &[2], &[factor as f32, f32::NAN]);
        let second = rule.initial_second_moment() as f32;
        let moments = [0.0, second].map(|value| check::input(gpu, &[1, len], &vec![value; len]));
        let (optimizer, moments) = (&optimizer, [&moments[0], &moments[1]]);
        let update = Update { optimizer, state: &state, parameter: &parameter.tensor, moments };
        check::run(gpu, |recording| {
            optimizer::step(recording, "test", &update, &gradient, Some(&factor))
        });
        assert_updates(&format!("{rule:?}"), &initial, &parameter.floats(gpu), &oracle.parameter);
    }
}

/// The count, not the bindings or the grid, ends the work. What lies behind it is no poison here: a
/// step on NaN leaves NaN.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (count, bound) = (60, 600);
    let values = check::random(10, bound, 0.5..1.0);
    let state = State::tensor("state");
    write_state(gpu, &state, 0);
    let gradient = check::input(gpu, &[bound], &check::random(11, bound, 0.5..1.0));
    let factor = check::input(gpu, &[1], &[1.0f32]);
    let outputs = ["parameter", "first_moment", "second_moment"]
        .map(|name| (name, Guarded::new(gpu, &[bound]).fill(gpu, &values)));
    let schedule = json!({
        "base": 1e-3, "minimum": 0.0, "horizon": 0, "warmup": 0, "warmup_start": 0.0,
        "period": 0, "decay_high": 0.0, "decay_low": 0.0,
    });
    let rule = json!({
        "schedule": schedule, "weight_decay": 0.0, "epsilon": 1e-8, "momentum": 0.0,
        "lr_decay": 0.0, "beta2": 0.999, "one_minus_beta1": 0.1, "one_minus_beta2": 0.001,
        "log_beta1": 0.9f32.ln(), "log_beta2": 0.999f32.ln(),
    });
    let params = json!({ "optimizer": rule, "count": count / 4 });
    check::run(gpu, |recording| {
        let mut tensors = vec![("state", &state), ("gradient", &gradient), ("factor", &factor)];
        tensors.extend(outputs.iter().map(|(name, output)| (*name, &output.tensor)));
        let kernel = optimizer::SHADER.kernel("step", &[("OPTIMIZER", 3), ("MOMENTUM", 0)]);
        recording.record_flat(kernel, "test", &params, &tensors, 3);
    });
    for (name, output) in outputs {
        let after = output.floats(gpu);
        assert!(after[..count] != values[..count], "{name} has not moved");
        assert!(after[count..] == values[count..], "{name} moved behind {count} elements");
    }
}
