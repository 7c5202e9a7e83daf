//! The gradients of weights and biases, stored or put to use at once.

use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::matmul::{self, Product, Variant, WeightGradient};
use vae_gpu::ops::optimizer::{self as op, Optimizer, Update};

use super::arena::{Arena, Sides, one_sign};
use super::forms::PRODUCT;
use super::{SIZES, oracle, run};
use crate::check::{self, POISON};
use crate::optimizer;

/// A batch, and layers by their inputs and outputs.
#[derive(Clone)]
pub struct Net {
    pub batch: usize,
    pub layers: Vec<[usize; 2]>,
}

/// One layer at every size, and several: two, five, and more than fit a dispatch.
fn nets() -> Vec<Net> {
    let one = |[batch, inputs, outputs]: [usize; 3]| Net { batch, layers: vec![[inputs, outputs]] };
    SIZES.into_iter().map(one).chain(several()).collect()
}

fn several() -> [Net; 4] {
    let widths = [1, 2, 3, 5, 20, 63, 64];
    let many = (0..17).map(|i| [widths[i % 7], widths[(3 * i + 1) % 7]]).collect();
    [
        Net { batch: 128, layers: vec![[784, 64], [20, 129]] },
        Net { batch: 20, layers: vec![[3, 1], [784, 20], [20, 3], [64, 20], [2, 257]] },
        Net { batch: 1, layers: vec![[1, 1], [5, 7]] },
        Net { batch: 33, layers: many },
    ]
}

/// The gradients that dy and x of every layer make, part by part.
fn gradients(net: &Net, sides: &[[Vec<f32>; 2]]) -> Vec<Vec<f64>> {
    let one = |(sizes, [dy, x]): (&[usize; 2], &[Vec<f32>; 2])| {
        oracle::backward_weight(&check::wide(dy), &check::wide(x), *sizes)
    };
    net.layers.iter().zip(sides).flat_map(one).collect()
}

impl Net {
    /// Of dy and x, of the recording's own memory.
    fn sides(&self, recording: &Recording) -> Sides {
        let of = |&[inputs, outputs]: &[usize; 2]| [outputs, inputs].map(|n| [self.batch, n]);
        Sides::new(recording, self.layers.iter().map(of))
    }

    fn arena(&self) -> Arena {
        Arena::new(self.layers.iter().map(|&[inputs, outputs]| ([outputs, inputs], outputs)))
    }
}

fn tasks(arena: &Arena, sides: &Sides, parameters: &Tensor) -> Vec<WeightGradient> {
    let task = |(i, [dy, x]): (usize, &[Tensor; 2])| {
        let [weight, bias] = arena.layer(parameters, i);
        WeightGradient { dy: dy.clone(), x: x.clone(), weight, bias }
    };
    sides.layers.iter().enumerate().map(task).collect()
}

fn run_stored(gpu: &Gpu, net: &Net, variant: Option<Variant>) {
    let mut recording = run::recording(gpu, Product::BackwardWeight, &net.layers, variant);
    let (sides, arena) = (net.sides(&recording), net.arena());
    let stored = arena.upload(gpu, &vec![POISON; arena.len()]);
    matmul::backward_weight(&mut recording, "test", &tasks(&arena, &sides, &stored), &stored);
    assert_eq!(
        recording.labels().count(),
        net.layers.len().div_ceil(16),
        "sixteen layers a dispatch"
    );
    let plan = recording.compile(gpu);
    let want = gradients(net, &sides.fill(gpu, 1, -1.0..1.0));
    plan.run();
    for (i, (got, want)) in arena.read(gpu, &stored).iter().zip(&want).enumerate() {
        let what = ["weight", "bias"][i % 2];
        let what = format!("{what} of {:?}, {} rows, {variant:?}", net.layers[i / 2], net.batch);
        check::assert_norm(&what, got, want, PRODUCT);
    }
}

/// Three steps, each from a batch of its own, against products and optimizers in f64.
fn run_step(gpu: &Gpu, net: &Net, variant: Option<Variant>, optimizer: &Optimizer) {
    let mut recording = run::recording(gpu, Product::BackwardWeight, &net.layers, variant);
    let (sides, arena) = (net.sides(&recording), net.arena());
    // Small parameters, so that their own rounding does not hide that of the updates.
    let initial = check::random(1, arena.len(), 1e-4..2e-4);
    let bits: Vec<_> = initial.iter().map(|v| v.to_bits()).collect();
    let parameter = arena.upload(gpu, &bits);
    let initial_second = optimizer.rule.initial_second_moment() as f32;
    let moments =
        [0.0, initial_second].map(|m: f32| arena.upload(gpu, &vec![m.to_bits(); arena.len()]));
    let state = State::tensor("state");
    let layers = tasks(&arena, &sides, &parameter);
    let both = [&moments[0], &moments[1]];
    let update = Update { optimizer, state: &state, parameter: &parameter, moments: both };
    matmul::backward_weight_step(&mut recording, "test", &layers, &update);
    let plan = recording.compile(gpu);

    let what = format!("{:?}, {} rows, {variant:?}, {optimizer:?}", net.layers, net.batch);
    let mut oracle = optimizer::Oracle::new(*optimizer, &initial);
    for step in 0..3 {
        let gradients = gradients(net, &sides.fill(gpu, step.into(), one_sign(step))).concat();
        optimizer::write_state(gpu, &state, step);
        plan.run();
        oracle.step(step, &gradients);
        let got = arena.read(gpu, &parameter).concat();
        let what = format!("{what}, step {step}");
        optimizer::assert_updates(&what, &initial, &got, &oracle.parameter);
    }
    let [first, second] = moments.map(|moment| arena.read(gpu, &moment).concat());
    check::assert_norm(&format!("{what}, first moment"), &first, &oracle.first, PRODUCT);
    check::assert_norm(&format!("{what}, second moment"), &second, &oracle.second, PRODUCT);
}

/// The adapter's own variant, then all.
fn variants(gpu: &Gpu) -> impl Iterator<Item = Option<Variant>> {
    [None].into_iter().chain(run::variants(gpu).into_iter().map(Some))
}

#[test]
pub fn backward_weight() {
    let Some(gpu) = check::gpu() else { return };
    for net in nets() {
        variants(gpu).for_each(|variant| run_stored(gpu, &net, variant));
    }
}

#[test]
pub fn backward_weight_step() {
    let Some(gpu) = check::gpu() else { return };
    let adam = Optimizer::default();
    nets().iter().for_each(|net| run_step(gpu, net, None, &adam));
    for net in several() {
        variants(gpu).for_each(|variant| run_step(gpu, &net, variant, &adam));
    }
    for rule in optimizer::rules(0.5) {
        run_step(gpu, &several()[1], None, &optimizer::constant(rule));
    }
}

/// More workgroups than most adapters take along x, the last of them for another layer.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let net = Net { batch: 2, layers: vec![[4 * 257, 4 * 257], [63, 5]] };
    for words in ["registers 1 1x1", "tiled 1x1 1x1 4 1"] {
        let variant = Some(words.parse().unwrap());
        run_stored(gpu, &net, variant);
        run_step(gpu, &net, variant, &Optimizer::default());
    }
}

/// Updating at once is updating from stored gradients, but for the last digits.
#[test]
fn both_ways_of_updating_agree() {
    let Some(gpu) = check::gpu() else { return };
    let net = Net { batch: 63, layers: vec![[257, 20], [3, 65]] };
    let initial: Vec<_> =
        (0..).map(|i| 1e-4 + 1e-7 * i as f32).take(257 * 20 + 20 + 4 * 65).collect();
    let bits: Vec<_> = initial.iter().map(|v| v.to_bits()).collect();
    let [at_once, stored] = [true, false].map(|at_once| {
        let mut recording = Recording::new(gpu.report());
        let (sides, arena) = (net.sides(&recording), net.arena());
        // The optimizer as a dispatch of its own takes the whole buffer: zero, not poison, between parts.
        let clean = |values: &[u32]| {
            let tensor = arena.upload(gpu, values);
            let words: Vec<u32> = tensor.read(gpu).unwrap();
            let zero = |word: u32| if word == POISON { 0 } else { word };
            tensor.write(gpu, &words.into_iter().map(zero).collect::<Vec<_>>());
            tensor
        };
        let zeros = vec![0; arena.len()];
        let [parameter, first, second, gradient] =
            [&bits, &zeros, &zeros, &zeros].map(|values| clean(values));
        let state = State::tensor("state");
        let layers = tasks(&arena, &sides, &parameter);
        let (optimizer, moments) = (&Optimizer::default(), [&first, &second]);
        let update = Update { optimizer, state: &state, parameter: &parameter, moments };
        if at_once {
            matmul::backward_weight_step(&mut recording, "test", &layers, &update);
        } else {
            matmul::backward_weight(&mut recording, "test", &layers, &gradient);
            op::step(&mut recording, "test", &update, &gradient, None);
        }
        let plan = recording.compile(gpu);
        for step in 0..5 {
            sides.fill(gpu, step.into(), one_sign(step));
            optimizer::write_state(gpu, &state, step);
            plan.run();
        }
        parameter.read::<f32>(gpu).unwrap()
    });
    check::assert_norm("parameters", &at_once, &check::wide(&stored), 1e-5);
}
