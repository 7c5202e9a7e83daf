//! The gradients of weights and biases, stored or put to use at once.

use std::ops::Range;

use vae_gpu::gpu::{Gpu, Plan, Tensor, padded};
use vae_gpu::ops::State;
use vae_gpu::ops::matmul::{self, Product, Variant, WeightGradient};
use vae_gpu::ops::optimizer::{self as op, Optimizer};

use super::forms::PRODUCT;
use super::{SIZES, oracle, run};
use crate::check::{self, MARGIN, POISON};
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

/// How layers' parameters lie in a buffer, with poison before, between and behind them.
struct Arena {
    /// Of weights and biases by turns: offset, rows and columns.
    parts: Vec<[usize; 3]>,
    words: usize,
}

impl Arena {
    fn new(layers: &[[usize; 2]]) -> Self {
        let mut words = MARGIN;
        let mut place = |[rows, columns]: [usize; 2]| {
            let offset = words;
            words += (rows * padded(columns)).next_multiple_of(Tensor::ALIGNMENT) + MARGIN;
            [offset, rows, columns]
        };
        // A bias is a matrix of one row.
        let shapes = layers.iter().flat_map(|&[inputs, outputs]| [[outputs, inputs], [1, outputs]]);
        let parts = shapes.map(&mut place).collect();
        Self { parts, words }
    }

    /// Where the rows of a part begin.
    fn rows([offset, rows, columns]: [usize; 3]) -> impl Iterator<Item = usize> {
        (0..rows).map(move |row| offset + row * padded(columns))
    }

    /// The values of all parts, one after the other.
    fn upload(&self, gpu: &Gpu, values: &[u32]) -> Tensor {
        let mut words = vec![POISON; self.words];
        let mut values = values.iter();
        for &part in &self.parts {
            for at in Self::rows(part) {
                words[at..at + padded(part[2])].fill(0);
                words[at..at + part[2]].fill_with(|| *values.next().unwrap());
            }
        }
        assert_eq!(values.len(), 0);
        Tensor::new(gpu, "arena", &[self.words], &words)
    }

    fn len(&self) -> usize {
        self.parts.iter().map(|[_, rows, columns]| rows * columns).sum()
    }

    /// The values of each part; panics if the poison around them has changed, or padding is not
    /// zero.
    fn read(&self, gpu: &Gpu, tensor: &Tensor) -> Vec<Vec<f32>> {
        let mut words: Vec<u32> = tensor.read(gpu).unwrap();
        let mut all = Vec::new();
        for &part in &self.parts {
            let mut values = Vec::new();
            for at in Self::rows(part) {
                let row = &mut words[at..at + padded(part[2])];
                values.extend(row[..part[2]].iter().map(|&word| f32::from_bits(word)));
                assert!(row[part[2]..].iter().all(|&word| word == 0), "padding of {part:?}");
                row.fill(POISON);
            }
            all.push(values);
        }
        assert_eq!(words.iter().position(|&word| word != POISON), None, "written between parts");
        all
    }

    fn layer(&self, tensor: &Tensor, i: usize) -> [Tensor; 2] {
        let [weight, bias] = [self.parts[2 * i], self.parts[2 * i + 1]];
        [tensor.view_matrix(weight[0], &weight[1..]), tensor.view(bias[0], &[bias[2]])]
    }
}

/// A plan's dy and x of every layer, with poison around them.
struct Sides {
    layers: Vec<[Tensor; 2]>,
    margins: Vec<Tensor>,
}

impl Sides {
    fn new(plan: &Plan, net: &Net) -> Self {
        let mut margins = vec![plan.vector(MARGIN)];
        let mut side = |columns| {
            let tensor = plan.matrix(&[net.batch, columns]);
            margins.push(plan.vector(MARGIN));
            tensor
        };
        let layers =
            net.layers.iter().map(|&[inputs, outputs]| [side(outputs), side(inputs)]).collect();
        Self { layers, margins }
    }

    fn gradients(&self, arena: &Arena, parameters: &Tensor) -> Vec<WeightGradient> {
        let gradient = |(i, [dy, x]): (usize, &[Tensor; 2])| {
            let [weight, bias] = arena.layer(parameters, i);
            WeightGradient { dy: dy.clone(), x: x.clone(), weight, bias }
        };
        self.layers.iter().enumerate().map(gradient).collect()
    }

    /// Writes random values, once the plan is recorded: dy from `range`. Returns the gradients that
    /// they make, part by part.
    fn fill(&self, gpu: &Gpu, seed: u64, range: Range<f32>) -> Vec<Vec<f64>> {
        let poison = |margin: &Tensor| margin.write(gpu, &[POISON; MARGIN]);
        self.margins.iter().for_each(poison);
        let mut all = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let seed = 1000 * seed + 2 * i as u64;
            let draws = [(seed, range.clone()), (seed + 1, 0.2..1.0)];
            let [dy, x] = std::array::from_fn(|side| {
                let (seed, range) = draws[side].clone();
                let values = check::random(seed, layer[side].len(), range);
                layer[side].write(gpu, &values);
                check::wide(&values)
            });
            let sizes = [layer[1].columns(), layer[0].columns()];
            all.extend(oracle::backward_weight(&dy, &x, sizes));
        }
        all
    }
}

/// For dy of a step of Adam, which divides gradients by their size: those that cancel to nearly
/// nothing would have updates of any size and sign.
fn one_sign(step: u32) -> Range<f32> {
    if step.is_multiple_of(2) { 0.2..1.0 } else { -1.0..-0.2 }
}

fn run_stored(gpu: &Gpu, net: &Net, variant: Option<Variant>) {
    let mut plan = run::plan(gpu, Product::BackwardWeight, &net.layers, variant);
    let sides = Sides::new(&plan, net);
    let arena = Arena::new(&net.layers);
    let gradients = arena.upload(gpu, &vec![POISON; arena.len()]);
    matmul::backward_weight(&mut plan, "test", &sides.gradients(&arena, &gradients), &gradients);
    assert_eq!(plan.labels().count(), net.layers.len().div_ceil(16), "sixteen layers a dispatch");
    let want = sides.fill(gpu, 1, -1.0..1.0);
    plan.run();
    for (i, (got, want)) in arena.read(gpu, &gradients).iter().zip(&want).enumerate() {
        let what = ["weight", "bias"][i % 2];
        let what = format!("{what} of {:?}, {} rows, {variant:?}", net.layers[i / 2], net.batch);
        check::assert_norm(&what, got, want, PRODUCT);
    }
}

/// Three steps, each from a batch of its own, against products and optimizers in f64.
fn run_step(gpu: &Gpu, net: &Net, variant: Option<Variant>, rule: &Optimizer) {
    let mut plan = run::plan(gpu, Product::BackwardWeight, &net.layers, variant);
    let sides = Sides::new(&plan, net);
    let arena = Arena::new(&net.layers);
    // Small parameters, so that their own rounding does not hide that of the updates.
    let initial = check::random(1, arena.len(), 1e-4..2e-4);
    let bits: Vec<_> = initial.iter().map(|v| v.to_bits()).collect();
    let parameter = arena.upload(gpu, &bits);
    let initial_second = rule.rule.initial_second_moment() as f32;
    let moments =
        [0.0, initial_second].map(|m: f32| arena.upload(gpu, &vec![m.to_bits(); arena.len()]));
    let state = State::tensor(gpu, "state");
    let layers = sides.gradients(&arena, &parameter);
    let [first, second] = &moments;
    let both = [first, second];
    matmul::backward_weight_step(&mut plan, "test", &layers, rule, &state, &parameter, both);

    let what = format!("{:?}, {} rows, {variant:?}, {rule:?}", net.layers, net.batch);
    let mut oracle = optimizer::Oracle::new(*rule, &initial);
    for step in 0..3 {
        let gradients = sides.fill(gpu, step.into(), one_sign(step)).concat();
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
        let mut plan = Plan::new(gpu);
        let sides = Sides::new(&plan, &net);
        let arena = Arena::new(&net.layers);
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
        let state = State::tensor(gpu, "state");
        let layers = sides.gradients(&arena, &parameter);
        let (adam, moments) = (Optimizer::default(), [&first, &second]);
        if at_once {
            let p = &parameter;
            matmul::backward_weight_step(&mut plan, "test", &layers, &adam, &state, p, moments);
        } else {
            matmul::backward_weight(&mut plan, "test", &layers, &gradient);
            op::step(&mut plan, "test", &adam, &state, &gradient, None, &parameter, moments);
        }
        for step in 0..5 {
            sides.fill(gpu, step.into(), one_sign(step));
            optimizer::write_state(gpu, &state, step);
            plan.run();
        }
        parameter.read::<f32>(gpu).unwrap()
    });
    check::assert_norm("parameters", &at_once, &check::wide(&stored), 1e-5);
}
