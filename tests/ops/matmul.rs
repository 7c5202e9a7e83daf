use vae_gpu::gpu::{Gpu, Plan, Tensor};
use vae_gpu::ops::matmul::{self, Tiling};

use crate::check::{self, Guarded};

/// Batch, inputs and outputs. The kernels load four at a time where inputs and outputs allow it, and
/// one at a time where either does not.
const SIZES: [[usize; 3]; 16] = [
    [1, 1, 1],
    [2, 3, 5],
    [63, 257, 1757],
    [257, 1757, 1],
    [1757, 1, 63],
    [1, 63, 257],
    [1, 1757, 63],
    [63, 63, 2],
    [17, 4, 1757],
    [5, 257, 64],
    // in fours
    [1, 4, 4],
    [63, 256, 1756],
    [257, 1756, 4],
    [1757, 4, 64],
    [1, 260, 36],
    [33, 20, 12],
];

/// What the wrapper uses, then two others that the shader allows.
const TILINGS: [Tiling; 4] = [
    matmul::SOFTWARE,
    matmul::GPU,
    Tiling { lanes: 32, rows: 1, columns: 1 },
    Tiling { lanes: 16, rows: 4, columns: 1 },
];

/// Name, shape and values of a tensor that an entry point reads.
type Read<'a> = (&'static str, [usize; 2], &'a [f32]);
/// Name and shape of a tensor that it writes.
type Written = (&'static str, [usize; 2]);

/// A layer's tensors, as the oracles see them.
struct Case {
    sizes: [usize; 3],
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn new(sizes: [usize; 3]) -> Self {
        let [batch, inputs, outputs] = sizes;
        let random = |seed, len| check::random(seed, len, -1.0..1.0);
        Self {
            sizes,
            x: random(1, batch * inputs),
            weight: random(2, outputs * inputs),
            bias: random(3, outputs),
            dy: random(4, batch * outputs),
        }
    }

    /// What `entry` reads and what it writes, both in the order of the wrapper's arguments.
    fn tensors(&self, entry: &str) -> (Vec<Read<'_>>, Vec<Written>) {
        let [batch, inputs, outputs] = self.sizes;
        let x = ([batch, inputs], &*self.x);
        let weight = ([outputs, inputs], &*self.weight);
        let bias = ("bias", [1, outputs], &*self.bias);
        let dy = ([batch, outputs], &*self.dy);
        let (a, b, shape) = match entry {
            "forward" => (x, weight, [batch, outputs]),
            "backward_input" => (dy, weight, [batch, inputs]),
            _ => (dy, x, [outputs, inputs]),
        };
        let mut read = vec![("a", a.0, a.1), ("b", b.0, b.1)];
        let mut written = vec![("result", shape)];
        match entry {
            "forward" => read.push(bias),
            "backward_weight" => written.push(("dbias", [1, outputs])),
            _ => {}
        }
        (read, written)
    }

    /// What `entry` writes, by the textbook.
    fn oracle(&self, entry: &str) -> Vec<Vec<f64>> {
        let [_, inputs, outputs] = self.sizes;
        let [x, weight, bias, dy] =
            [&self.x, &self.weight, &self.bias, &self.dy].map(|values| check::wide(values));
        match entry {
            "forward" => vec![forward_oracle(&x, &weight, &bias)],
            "backward_input" => vec![backward_input_oracle(&dy, &weight, [inputs, outputs])],
            _ => backward_weight_oracle(&dy, &x, [inputs, outputs]).to_vec(),
        }
    }
}

/// y = x · weightᵀ + bias
fn forward_oracle(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = weight.len() / bias.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |x| weight.chunks(inputs).zip(bias).map(move |(w, b)| dot(x, w) + b);
    x.chunks(inputs).flat_map(row).collect()
}

/// dx = dy · weight
fn backward_input_oracle(dy: &[f64], weight: &[f64], [inputs, outputs]: [usize; 2]) -> Vec<f64> {
    let mut dx = vec![0.0; dy.len() / outputs * inputs];
    for (dx, dy) in dx.chunks_mut(inputs).zip(dy.chunks(outputs)) {
        for (dy, w) in dy.iter().zip(weight.chunks(inputs)) {
            add_scaled(dx, *dy, w);
        }
    }
    dx
}

/// dweight = dyᵀ · x, and dbias, the column sums of dy
fn backward_weight_oracle(dy: &[f64], x: &[f64], [inputs, outputs]: [usize; 2]) -> [Vec<f64>; 2] {
    let mut dweight = vec![0.0; outputs * inputs];
    let mut dbias = vec![0.0; outputs];
    for (dy, x) in dy.chunks(outputs).zip(x.chunks(inputs)) {
        add_scaled(&mut dbias, 1.0, dy);
        for (dweight, dy) in dweight.chunks_mut(inputs).zip(dy) {
            add_scaled(dweight, *dy, x);
        }
    }
    [dweight, dbias]
}

/// sum += scale · values
fn add_scaled(sum: &mut [f64], scale: f64, values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

/// A sum of n random products, each rounded to 2⁻²⁴ of the sum so far, is wrong by about
/// 0.4 √n · 2⁻²⁴ of its size: 1e-6 for the longest here.
fn assert_product(what: &str, got: &[f32], want: &[f64]) {
    check::assert_norm(what, got, want, 3e-6);
}

/// Compares the wrapper of `entry` with its oracle at every size.
fn assert_wrapper(entry: &str, record: impl Fn(&mut Plan, &[Tensor], &[Guarded])) {
    let Some(gpu) = check::gpu() else { return };
    for sizes in SIZES {
        let case = Case::new(sizes);
        let (read, written) = case.tensors(entry);
        let inputs: Vec<_> = read.iter().map(|(_, s, v)| check::input(gpu, s, v)).collect();
        let outputs: Vec<_> = written.iter().map(|(_, shape)| Guarded::new(gpu, shape)).collect();
        check::run(gpu, |plan| record(plan, &inputs, &outputs));
        for ((output, want), (name, _)) in outputs.iter().zip(case.oracle(entry)).zip(written) {
            assert_product(&format!("{entry} {sizes:?}, {name}"), &output.floats(gpu), &want);
        }
    }
}

#[test]
pub fn forward() {
    assert_wrapper("forward", |plan, read, written| {
        matmul::forward(plan, "test", &read[0], &read[1], &read[2], &written[0].tensor);
    });
}

#[test]
pub fn backward_input() {
    assert_wrapper("backward_input", |plan, read, written| {
        matmul::backward_input(plan, "test", &read[0], &read[1], &written[0].tensor);
    });
}

#[test]
pub fn backward_weight() {
    assert_wrapper("backward_weight", |plan, read, written| {
        let (dweight, dbias) = (&written[0].tensor, &written[1].tensor);
        matmul::backward_weight(plan, "test", &read[0], &read[1], dweight, dbias);
    });
}

/// Runs `entry` under one tiling, with bindings longer than the tensors and a workgroup too many.
fn run_tiled(gpu: &Gpu, case: &Case, entry: &str, tiling: Tiling, vector: bool) -> Vec<Vec<f32>> {
    let (read, written) = case.tensors(entry);
    let reads: Vec<_> = read.iter().map(|(_, s, v)| check::roomy_input(gpu, s, v)).collect();
    let writes: Vec<_> = written.iter().map(|(_, shape)| Guarded::roomy(gpu, shape)).collect();
    let mut tensors: Vec<_> = read.iter().zip(&reads).map(|(r, tensor)| (r.0, tensor)).collect();
    tensors.extend(written.iter().zip(&writes).map(|(w, output)| (w.0, &output.tensor)));

    let [batch, inputs, outputs] = case.sizes.map(|size| size as u32);
    let [height, width] = written[0].1;
    let groups = tiling.groups(height, width) + 1;
    check::run(gpu, |plan| {
        let kernel = gpu.kernel(&matmul::SHADER, entry, &tiling.constants(vector));
        let params = [batch, inputs, outputs, 0];
        plan.record_flat(kernel, "test", &params, &tensors, groups);
    });
    writes.iter().map(|output| output.floats(gpu)).collect()
}

fn assert_tilings(entry: &str) {
    let Some(gpu) = check::gpu() else { return };
    for sizes in SIZES {
        let case = Case::new(sizes);
        let want = case.oracle(entry);
        let fours = sizes[1].is_multiple_of(4) && sizes[2].is_multiple_of(4);
        // Sizes in fours can take both paths.
        let paths: &[bool] = if fours { &[false, true] } else { &[false] };
        for (tiling, vector) in TILINGS.iter().flat_map(|t| paths.iter().map(move |&v| (*t, v))) {
            let got = run_tiled(gpu, &case, entry, tiling, vector);
            for (got, want) in got.iter().zip(&want) {
                let what = format!("{entry} {sizes:?}, tiling {tiling:?}, vector {vector}");
                assert_product(&what, got, want);
            }
        }
    }
}

#[test]
fn forward_in_every_tiling() {
    assert_tilings("forward");
}

#[test]
fn backward_input_in_every_tiling() {
    assert_tilings("backward_input");
}

#[test]
fn backward_weight_in_every_tiling() {
    assert_tilings("backward_weight");
}

#[test]
fn backward_oracles_are_the_derivatives_of_forward() {
    let case = Case::new([3, 5, 4]);
    let [x, weight, bias, dy] =
        [&case.x, &case.weight, &case.bias, &case.dy].map(|values| check::wide(values));
    let chained = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
    let dx = &case.oracle("backward_input")[0];
    check::assert_gradient("dx", |x| chained(forward_oracle(x, &weight, &bias)), &x, dx);
    let [dweight, dbias] = &case.oracle("backward_weight")[..] else { panic!() };
    check::assert_gradient("dweight", |w| chained(forward_oracle(&x, w, &bias)), &weight, dweight);
    check::assert_gradient("dbias", |b| chained(forward_oracle(&x, &weight, b)), &bias, dbias);
}
