//! The matrix products, at the presets' shapes and at squares.

use super::{Row, Suite, random};
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::model::Preset;
use crate::ops::matmul;

/// Sides of the square problems, each double the one before.
const SQUARES: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Seconds of a run beyond which a problem is skipped.
const LONGEST: f64 = 0.75;
/// Pixels of the images that the presets' shapes are for.
const PIXELS: usize = 784;
/// Elements of a result that are compared with the definition.
const CHECKED: usize = 64;

/// What a product reads and writes, in the shapes of [`matmul`]'s functions.
struct Operands {
    /// Batch, inputs and outputs.
    sizes: [usize; 3],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    y: Tensor,
}

/// Records the product of an entry point; the last operand is what it writes.
type Record = fn(&mut Plan, &str, &Operands);

/// The kernels to compare, each with its name: all that there are for the adapter.
fn variants(gpu: &Gpu) -> Vec<(String, Record)> {
    let matmul::Tiling { lanes, rows, columns } =
        if gpu.report().is_software() { matmul::SOFTWARE } else { matmul::GPU };
    let name = format!("{}x{} by {lanes}", 4 * rows, 4 * columns);
    vec![(name, record)]
}

fn record(plan: &mut Plan, operation: &str, operands: &Operands) {
    let Operands { x, weight, bias, y, .. } = operands;
    match operation {
        "matmul.forward" => matmul::forward(plan, "bench", x, weight, bias, y),
        "matmul.backward_input" => matmul::backward_input(plan, "bench", y, weight, x),
        _ => matmul::backward_weight(plan, "bench", y, x, weight, bias),
    }
}

/// The rows of one of the three products.
pub(super) fn rows(suite: &mut Suite, operation: &str) -> Result<()> {
    for sizes in preset_sizes() {
        problem(suite, operation, sizes, 0.0)?;
    }
    // Seconds of the fastest kernel on the square before.
    let mut last = 0.0;
    for side in SQUARES {
        last = problem(suite, operation, [side; 3], 8.0 * last)?.unwrap_or(8.0 * last);
    }
    Ok(())
}

/// Batch, inputs and outputs of every linear layer of every preset, each once.
fn preset_sizes() -> Vec<[usize; 3]> {
    let mut all = Vec::new();
    for preset in Preset::ALL {
        let config = preset.config();
        let (model, batch) = (config.model, config.train.batch_size);
        let encoder = [&[PIXELS], &model.encoder[..], &[2 * model.latent]].concat();
        let decoder = [&[model.latent], &model.decoder[..], &[PIXELS]].concat();
        for pair in encoder.windows(2).chain(decoder.windows(2)) {
            let sizes = [batch, pair[0], pair[1]];
            if !all.contains(&sizes) {
                all.push(sizes);
            }
        }
    }
    all
}

/// Every kernel on a problem that should take `expected` seconds; returns the fastest's seconds.
fn problem(
    suite: &mut Suite,
    operation: &str,
    sizes: [usize; 3],
    expected: f64,
) -> Result<Option<f64>> {
    let [batch, inputs, outputs] = sizes;
    let flop = 2.0 * sizes.iter().map(|&n| n as f64).product::<f64>();
    let elements = batch * inputs + inputs * outputs + batch * outputs + outputs;
    let row = |variant: &str| Row::new(operation, &sizes, variant, flop, 4.0 * elements as f64);
    let largest = 4 * (batch * inputs).max(inputs * outputs).max(batch * outputs) as u64;
    let reason = match () {
        () if expected > LONGEST => format!("would take {expected:.1} s a run"),
        () if largest > suite.gpu.report().max_binding_bytes => "does not fit".into(),
        () => String::new(),
    };
    if !reason.is_empty() {
        suite.skip(row(""), &reason);
        return Ok(None);
    }
    let gpu = suite.gpu.clone();
    let operands = Operands::new(&gpu, sizes);
    let mut fastest = None;
    for (name, record) in variants(&gpu) {
        let mut plan = Plan::new(&gpu);
        record(&mut plan, operation, &operands);
        let measured = suite.measure(row(&name), &plan, || operands.is_right(&gpu, operation))?;
        let seconds = measured.time.map_or(f64::INFINITY, |time| time.median_seconds);
        fastest = Some(fastest.unwrap_or(f64::INFINITY).min(seconds));
    }
    Ok(fastest)
}

impl Operands {
    fn new(gpu: &Gpu, sizes: [usize; 3]) -> Self {
        let [batch, inputs, outputs] = sizes;
        let tensor = |label, seed, shape: &[usize]| {
            Tensor::new(gpu, label, shape, &random(seed, shape.iter().product()))
        };
        Self {
            sizes,
            x: tensor("x", 1, &[batch, inputs]),
            weight: tensor("weight", 2, &[outputs, inputs]),
            bias: tensor("bias", 3, &[outputs]),
            y: tensor("y", 4, &[batch, outputs]),
        }
    }

    /// Whether elements all over the result are the sums in f64 that define them.
    fn is_right(&self, gpu: &Gpu, operation: &str) -> Result<bool> {
        let [batch, inputs, outputs] = self.sizes;
        let [x, weight, bias, y]: [Vec<f32>; 4] =
            [self.x.read(gpu)?, self.weight.read(gpu)?, self.bias.read(gpu)?, self.y.read(gpu)?];
        let at = |values: &[f32], columns: usize, row: usize, column: usize| {
            f64::from(values[row * columns + column])
        };
        let x_at = |b, i| at(&x, inputs, b, i);
        let w_at = |o, i| at(&weight, inputs, o, i);
        let y_at = |b, o| at(&y, outputs, b, o);
        // Rows and columns of the result, the element, the terms of its sum, and their number.
        type Term<'a> = Box<dyn Fn(usize, usize, usize) -> f64 + 'a>;
        let (rows, columns, result, term, depth): (_, _, _, Term, _) = match operation {
            "matmul.forward" => {
                (batch, outputs, &y, Box::new(|b, o, k| x_at(b, k) * w_at(o, k)), inputs)
            }
            "matmul.backward_input" => {
                (batch, inputs, &x, Box::new(|b, i, k| y_at(b, k) * w_at(k, i)), outputs)
            }
            _ => (outputs, inputs, &weight, Box::new(|o, i, k| y_at(k, o) * x_at(k, i)), batch),
        };
        let close = |got: f64, terms: &mut dyn Iterator<Item = f64>| {
            let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
            // Far above the rounding of 32 bits, far below a term too many.
            (got - sum).abs() <= 1e-4 * size
        };
        let product = |index: usize| {
            // Steps by a prime go all over, and the last element is the likeliest to be missed.
            let element = (index * 7919 + rows * columns - 1) % (rows * columns);
            let (row, column) = (element / columns, element % columns);
            let added = if operation == "matmul.forward" { f64::from(bias[column]) } else { 0.0 };
            let mut terms = (0..depth).map(|k| term(row, column, k)).chain([added]);
            close(f64::from(result[element]), &mut terms)
        };
        let sums = operation != "matmul.backward_weight"
            || (0..outputs).all(|o| close(f64::from(bias[o]), &mut (0..batch).map(|b| y_at(b, o))));
        Ok((0..CHECKED).all(product) && sums)
    }
}
