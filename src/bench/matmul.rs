//! The matrix products, at the presets' shapes and at squares.

use std::sync::Arc;

use super::{Row, Suite, random};
use vae_gpu::Model;
use vae_gpu::Result;
use vae_gpu::config::Preset;
use vae_gpu::gpu::{Choices, Gpu, Recording, Tensor};
use vae_gpu::model::Network;
use vae_gpu::ops::activation::{Activation, Origin};
use vae_gpu::ops::matmul::{self, PRODUCTS, Problem, Product, Transposed, Variant, WeightGradient};
use vae_gpu::ops::tune::{Tune, tune};

/// Sides of the square problems, each double the one before.
const SQUARES: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Largest time of a run in seconds; slower problems are skipped.
const LONGEST: f64 = 0.75;
/// Pixels of the images for which the presets' shapes are taken.
const PIXELS: usize = 784;
/// Number of elements of a result that are compared with the definition.
const CHECKED: usize = 64;

/// The tensors of a product, in the shapes of [`matmul`]'s functions.
struct Operands {
    /// Batch, inputs and outputs.
    sizes: [usize; 3],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    y: Tensor,
}

/// Measures the rows of one of the three products: the definition, and the tuned variant.
pub(super) fn rows(suite: &mut Suite, operation: &str) -> Result<()> {
    let product = PRODUCTS.into_iter().find(|p| operation == format!("matmul.{}", p.name()));
    let product = product.expect("an operation of the table");
    for sizes in preset_sizes() {
        for naive in [true, false] {
            problem(suite, operation, product, sizes, naive.then_some(None), 0.0)?;
        }
    }
    for naive in [true, false] {
        // Seconds of the square before.
        let mut last = 0.0;
        for side in SQUARES {
            let kernel = naive.then_some(None);
            let expected = 8.0 * last;
            let measured = problem(suite, operation, product, [side; 3], kernel, expected)?;
            last = measured.unwrap_or(expected);
        }
    }
    Ok(())
}

/// Measures the variant of a quick tuning and that of a full one, on a problem that fills the
/// adapter and on a small one.
pub(super) fn tuning(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let side = if gpu.report().is_software() { 512 } else { 4096 };
    for sizes in [[side; 3], [128, PIXELS, 400]] {
        for product in PRODUCTS {
            for (level, name) in [(Tune::Quick, "quick"), (Tune::Full, "full")] {
                let variant = tuned(&gpu, level, product, sizes)?;
                let operation = format!("{operation}.{name}.{}", product.name());
                problem(suite, &operation, product, sizes, Some(Some(variant)), 0.0)?;
            }
        }
    }
    Ok(())
}

fn tuned(gpu: &Gpu, level: Tune, product: Product, sizes: [usize; 3]) -> Result<Variant> {
    let [batch, inputs, outputs] = sizes;
    // A first layer precedes, since tuning leaves out the gradient of the first layer's input.
    let layers = [Problem::dense(1, 1), Problem::dense(inputs, outputs)];
    let choices = tune(gpu, level, batch, &layers, Some(Activation::Relu), |_, _, _| ())?;
    Ok(product.variant(gpu.report(), &choices, sizes))
}

/// Batch, inputs and outputs of every linear layer of every preset, each once.
fn preset_sizes() -> Vec<[usize; 3]> {
    let mut all = Vec::new();
    for preset in Preset::ALL {
        let config = preset.config();
        let network = Network::new(&config.model, preset.shape()).expect("a preset can be built");
        for problem in network.problems() {
            let Problem::Dense { inputs, outputs } = problem else { continue };
            let sizes = [config.train.batch_size, inputs, outputs];
            if !all.contains(&sizes) {
                all.push(sizes);
            }
        }
    }
    all
}

/// Measures one kernel on a problem that should take `expected` seconds: the definition
/// (`Some(None)`), a given variant, or the tuned one (`None`). Returns its seconds.
pub(super) fn problem(
    suite: &mut Suite,
    operation: &str,
    product: Product,
    sizes: [usize; 3],
    kernel: Option<Option<Variant>>,
    expected: f64,
) -> Result<Option<f64>> {
    let [batch, inputs, outputs] = sizes;
    let flop = 2.0 * sizes.iter().map(|&n| n as f64).product::<f64>();
    let elements = batch * inputs + inputs * outputs + batch * outputs + outputs;
    let row = |variant: &str| Row::new(operation, &sizes, variant, flop, 4.0 * elements as f64);
    let all = 4 * 2 * (batch * inputs + inputs * outputs + batch * outputs) as u64;
    let reason = match () {
        () if expected > LONGEST => format!("would take {expected:.1} s a run"),
        () if all > suite.gpu.report().max_binding_bytes => "does not fit".into(),
        () => String::new(),
    };
    if !reason.is_empty() {
        suite.skip(row(if kernel == Some(None) { "naive" } else { "" }), &reason);
        return Ok(None);
    }
    let gpu = suite.gpu.clone();
    let variant = match kernel {
        Some(variant) => variant,
        None => Some(tuned(&gpu, Tune::Quick, product, sizes)?),
    };
    let name = variant.map_or("naive".into(), |variant| variant.to_string());
    let mut choices = Choices::new(gpu.report());
    choices.set(product.problem(inputs, outputs), name.clone());
    let mut recording = Recording::with_choices(gpu.report(), &Arc::new(choices));
    let operands = Operands::new(&recording, sizes);
    match variant {
        Some(_) => operands.record(&mut recording, product),
        None => operands.record_naive(&mut recording, product),
    }
    let plan = recording.compile(&gpu);
    operands.fill(&gpu, variant.is_some());
    let measured = suite.measure(row(&name), &plan, || operands.is_right(&gpu, product))?;
    Ok(measured.time.map(|time| time.median_seconds))
}

impl Operands {
    fn new(recording: &Recording, sizes: [usize; 3]) -> Self {
        let [batch, inputs, outputs] = sizes;
        let weight_shape = [outputs, inputs];
        let bias_at = (outputs * vae_gpu::gpu::padded(inputs)).next_multiple_of(Tensor::ALIGNMENT);
        let length = bias_at + outputs.next_multiple_of(Tensor::ALIGNMENT);
        let parameters = Tensor::zeros("bench", &[length]);
        Self {
            sizes,
            x: recording.matrix(&[batch, inputs]),
            weight: parameters.view_matrix(0, &weight_shape),
            bias: parameters.view(bias_at, &[outputs]),
            y: recording.matrix(&[batch, outputs]),
        }
    }

    /// Fills the tensors with random values, and the bias, too, if `bias` is set; it begins as
    /// zeros.
    fn fill(&self, gpu: &Gpu, bias: bool) {
        for (seed, tensor) in [(1, &self.x), (2, &self.weight), (4, &self.y)] {
            tensor.write(gpu, &random(seed, tensor.len()));
        }
        if bias {
            self.bias.write(gpu, &random(3, self.bias.len()));
        }
    }

    fn record(&self, recording: &mut Recording, product: Product) {
        let Self { x, weight, bias, y, .. } = self;
        match product {
            Product::Forward => {
                let pre = recording.matrix(y.shape());
                matmul::forward(recording, "bench", x, weight, bias, None, &pre, y);
            }
            Product::BackwardInput => {
                let origin = Origin { activation: None, pre: recording.matrix(x.shape()) };
                matmul::backward_input(recording, "bench", y, weight, &origin, x);
            }
            Product::BackwardWeight => {
                let (dy, x, weight, bias) = (y.clone(), x.clone(), weight.clone(), bias.clone());
                let arena = weight.arena();
                let layer = WeightGradient { dy, x, weight, bias };
                matmul::backward_weight(recording, "bench", &[layer], &arena);
            }
        }
    }

    fn record_naive(&self, recording: &mut Recording, product: Product) {
        let Self { x, weight, y, .. } = self;
        let [batch, inputs, outputs] = self.sizes;
        // The definition reads and writes different buffers.
        let (left, right, depth, result) = match product {
            Product::Forward => (Transposed(x, false), Transposed(weight, true), inputs, y),
            Product::BackwardInput => (Transposed(y, false), Transposed(weight, false), outputs, x),
            Product::BackwardWeight => (Transposed(y, true), Transposed(x, false), batch, weight),
        };
        matmul::naive(recording, "bench", left, right, depth, result);
    }

    /// Whether elements from all over the result equal their definition, sums in f64.
    fn is_right(&self, gpu: &Gpu, product: Product) -> Result<bool> {
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
        let (rows, columns, result, term, depth): (_, _, _, Term, _) = match product {
            Product::Forward => {
                (batch, outputs, &y, Box::new(|b, o, k| x_at(b, k) * w_at(o, k)), inputs)
            }
            Product::BackwardInput => {
                (batch, inputs, &x, Box::new(|b, i, k| y_at(b, k) * w_at(k, i)), outputs)
            }
            Product::BackwardWeight => {
                (outputs, inputs, &weight, Box::new(|o, i, k| y_at(k, o) * x_at(k, i)), batch)
            }
        };
        let close = |got: f64, terms: &mut dyn Iterator<Item = f64>| {
            let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
            // The tolerance is far above 32-bit rounding and far below one term of the sum.
            (got - sum).abs() <= 1e-4 * size
        };
        let element_is_right = |index: usize| {
            // Steps by a prime spread over the whole result, from the last element on, which is the
            // likeliest to be missed.
            let element = (index * 7919 + rows * columns - 1) % (rows * columns);
            let (row, column) = (element / columns, element % columns);
            let added = if product == Product::Forward { f64::from(bias[column]) } else { 0.0 };
            let mut terms = (0..depth).map(|k| term(row, column, k)).chain([added]);
            close(f64::from(result[element]), &mut terms)
        };
        // The kernel of the definition does not compute the bias's gradient.
        let sums = product != Product::BackwardWeight
            || bias.iter().all(|&b| b == 0.0)
            || (0..outputs).all(|o| close(f64::from(bias[o]), &mut (0..batch).map(|b| y_at(b, o))));
        Ok((0..CHECKED).all(element_is_right) && sums)
    }
}
