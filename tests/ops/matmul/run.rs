//! How a case is run: by the form's wrapper, or by its kernel alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use vae_gpu::gpu::{Choices, Gpu, Kernel, Recording, Tensor};
use vae_gpu::ops::matmul::{self, Product, Variant};

use super::forms::{Case, Wanted};
use crate::check::{self, Guarded};
use crate::norms::number;

/// The values that a form writes.
pub type Results = Vec<Vec<f32>>;

/// Quick to compile everywhere: for what does not depend on the variant.
pub fn small() -> Variant {
    Variant::Registers { lanes: 8, rows: 1, columns: 1 }
}

/// The variants to try, as far as the adapter can run them: the defaults of several adapters, and
/// others that the shaders allow.
pub fn variants(gpu: &Gpu) -> Vec<Variant> {
    let words = [
        "lanes 4 1",
        "lanes 4 2",
        "lanes 8 1",
        "lanes 8 2",
        "registers 8 4x2",
        "registers 32 1x1",
        "registers 16 4x1",
        "tiled 8x8 1x1 16 1",
        "tiled 8x8 1x1 16 4",
        "tiled 16x16 2x2 8 1",
        "tiled 4x8 2x1 4 2",
        "tiled 3x5 1x2 8 3",
    ];
    let variants = words.iter().map(|words| words.parse::<Variant>().unwrap());
    variants.filter(|variant| variant.fits(gpu.report())).collect()
}

/// An empty recording in which the products of `layers` (inputs and outputs) take `variant`.
pub fn recording(
    gpu: &Gpu,
    product: Product,
    layers: &[[usize; 2]],
    variant: Option<Variant>,
) -> Recording {
    let mut choices = Choices::new(gpu.report());
    for &[inputs, outputs] in layers {
        let Some(variant) = variant else { continue };
        choices.set(product.problem(inputs, outputs), variant.to_string());
        let chosen = product.variant(gpu.report(), &choices, [1, inputs, outputs]);
        assert_eq!(chosen, variant, "the choice of a variant has no effect");
    }
    Recording::with_choices(gpu.report(), &Arc::new(choices))
}

/// The tensors of a case by their variables.
struct Tensors {
    reads: BTreeMap<&'static str, Tensor>,
    writes: Vec<(&'static str, Guarded)>,
}

impl Tensors {
    /// In bindings that go on with poison, but for those that `exact` names.
    fn new(gpu: &Gpu, case: &Case, exact: &[&str]) -> Self {
        let read = |name, shape: &[usize]| match exact.contains(&name) {
            true => check::input(gpu, shape, case.values(name)),
            false => check::roomy_input(gpu, shape, case.values(name)),
        };
        let shape = |shape: fn([usize; 3]) -> Vec<usize>| shape(case.sizes);
        let reads = case.form.reads.iter().map(|(name, s, _)| (*name, read(*name, &shape(*s))));
        let writes = case.form.writes.iter();
        let writes = writes.map(|(name, s, _)| (*name, Guarded::roomy(gpu, &shape(*s))));
        Self { reads: reads.collect(), writes: writes.collect() }
    }

    fn get(&self, name: &str) -> &Tensor {
        let written = || self.writes.iter().find(|(n, _)| *n == name).map(|(_, w)| &w.tensor);
        self.reads.get(name).or_else(written).unwrap()
    }

    fn all(&self) -> Vec<(&'static str, &Tensor)> {
        let writes = self.writes.iter().map(|(name, w)| (*name, &w.tensor));
        self.reads.iter().map(|(name, tensor)| (*name, tensor)).chain(writes).collect()
    }

    fn results(&self, gpu: &Gpu) -> Results {
        self.writes.iter().map(|(_, guarded)| guarded.floats(gpu)).collect()
    }
}

/// By the wrapper, which takes the sizes from the two sides of the product.
pub fn by_wrapper(gpu: &Gpu, case: &Case, variant: Option<Variant>) -> Results {
    let tensors = Tensors::new(gpu, case, &["left", "right"]);
    let [_, inputs, outputs] = case.sizes;
    let mut recording = recording(gpu, case.form.product, &[[inputs, outputs]], variant);
    (case.form.record)(&mut recording, case, &|name| tensors.get(name).clone());
    recording.compile(gpu).run();
    tensors.results(gpu)
}

/// By the kernel, with all bindings longer than their tensors and a workgroup too many.
pub fn by_kernel(gpu: &Gpu, case: &Case, variant: Variant) -> Results {
    let tensors = Tensors::new(gpu, case, &[]);
    let [height, width, depth] = case.form.product.shape(case.sizes);
    let first_written = case.form.writes[0].0;
    let [left, right, result] =
        ["left", "right", first_written].map(|name| tensors.get(name).stride() / 4);
    let params = json!({
        "height": height, "width": width, "depth": depth,
        "left_row": left, "right_row": right, "result_row": result,
    });
    let mut recording = Recording::new(gpu.report());
    let groups = workgroups(variant, height, width) + 1;
    recording.record_flat(kernel(case, variant), "test", &params, &tensors.all(), groups);
    recording.compile(gpu).run();
    tensors.results(gpu)
}

fn kernel(case: &Case, variant: Variant) -> Arc<Kernel> {
    let (shader, mut constants) = matmul::shader(&format!("matmul.{}", case.form.entry), variant);
    constants.push(("ACTIVATION", number(case.activation)));
    shader.kernel(case.form.entry, &constants)
}

/// Workgroups for a result.
fn workgroups(variant: Variant, height: usize, width: usize) -> usize {
    let (tile, tiles) = match variant {
        Variant::Lanes { lanes, rows } => ([lanes * rows, lanes], 1),
        Variant::Registers { lanes, rows, columns } => ([rows, columns], lanes),
        Variant::Tiled { down, across, rows, columns, .. } => ([down * rows, across * columns], 1),
    };
    let [tall, wide] = tile.map(|blocks| 4 * blocks as usize);
    let count = height.div_ceil(tall) * width.div_ceil(wide);
    count.div_ceil(tiles as usize)
}

/// Panics unless `got` is what the oracle says.
pub fn assert_right(what: &str, case: &Case, got: &Results, want: &Wanted) {
    let what = format!("{} {:?}, {what}", case.form.entry, case.sizes);
    for ((got, want), (name, _, tolerance)) in got.iter().zip(want).zip(case.form.writes) {
        check::assert_norm(&format!("{what}, {name}"), got, want, *tolerance);
    }
}
