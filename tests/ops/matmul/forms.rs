//! The products over a batch as a table.

use std::collections::BTreeMap;

use vae_gpu::gpu::{Recording, Tensor};
use vae_gpu::ops::activation::{Activation, Origin};
use vae_gpu::ops::matmul::{self, Product};

use super::oracle;
use crate::check;

/// A tensor's shape for a layer's batch, inputs and outputs; matrices have two dimensions.
type Shape = fn([usize; 3]) -> Vec<usize>;

/// A tensor that a form reads or writes: its variable in the shader, its shape, and the tolerance of its
/// values in norm, or the range that they are drawn from.
type Binding<T> = (&'static str, Shape, T);

/// A tensor by its variable.
type Find<'a> = &'a dyn Fn(&str) -> Tensor;

/// The values that a form should write.
pub type Wanted = Vec<Vec<f64>>;

pub struct Form {
    pub entry: &'static str,
    pub product: Product,
    pub reads: &'static [Binding<f32>],
    pub writes: &'static [Binding<f64>],
    /// The wrapper.
    pub record: fn(&mut Recording, &Case, Find),
    /// The definition of its results.
    oracle: fn(&Case) -> Wanted,
}

const X: Shape = |[batch, inputs, _]| vec![batch, inputs];
const Y: Shape = |[batch, _, outputs]| vec![batch, outputs];
const WEIGHT: Shape = |[_, inputs, outputs]| vec![outputs, inputs];
const BIAS: Shape = |[_, _, outputs]| vec![outputs];

/// A sum of n random products, each rounded to 2⁻²⁴ of the sum so far, is wrong by about
/// 0.4 √n · 2⁻²⁴ of its size: 1e-6 for the longest here.
pub const PRODUCT: f64 = 3e-6;
/// An activation adds its own 1e-5 at worst.
const ACTIVATED: f64 = 1e-5;

pub const FORMS: [Form; 2] = [
    Form {
        entry: "forward",
        product: Product::Forward,
        reads: &[("left", X, 1.0), ("right", WEIGHT, 0.0), ("bias", BIAS, 1.0)],
        writes: &[("pre", Y, PRODUCT), ("result", Y, ACTIVATED)],
        record: |recording, case, t| {
            let (x, weight, bias) = (t("left"), t("right"), t("bias"));
            let (pre, y) = (t("pre"), t("result"));
            matmul::forward(recording, "test", &x, &weight, &bias, case.activation, &pre, &y);
        },
        oracle: |case| {
            let pre = case.forward();
            let y = pre.iter().map(|&x| oracle::value(case.activation, x)).collect();
            vec![pre, y]
        },
    },
    Form {
        entry: "backward_input",
        product: Product::BackwardInput,
        reads: &[("left", Y, 1.0), ("right", WEIGHT, 0.0), ("pre", X, 4.0)],
        writes: &[("result", X, ACTIVATED)],
        record: |recording, case, t| {
            let (dy, weight, dx) = (t("left"), t("right"), t("result"));
            let origin = Origin { activation: case.activation, pre: t("pre") };
            matmul::backward_input(recording, "test", &dy, &weight, &origin, &dx);
        },
        oracle: |case| {
            let (dx, pre) = (case.backward_input(), case.wide("pre"));
            let pairs = dx.iter().zip(pre);
            let dx = pairs.map(|(dx, pre)| dx * oracle::slope(case.activation, pre));
            vec![dx.collect()]
        },
    },
];

/// The form whose entry point is `entry`.
fn form(entry: &str) -> &'static Form {
    FORMS.iter().find(|form| form.entry == entry).unwrap()
}

/// The values that a form reads, on the host.
pub struct Case {
    pub form: &'static Form,
    /// Of the layer: batch, inputs and outputs.
    pub sizes: [usize; 3],
    pub activation: Option<Activation>,
    pub values: BTreeMap<&'static str, Vec<f32>>,
}

impl Case {
    /// Random values, so that sums are about as large as their terms.
    pub fn new(entry: &str, sizes: [usize; 3]) -> Self {
        let form = form(entry);
        let [_, _, depth] = form.product.shape(sizes);
        let draw = |(i, (name, shape, range)): (usize, &Binding<f32>)| {
            let len = shape(sizes).iter().product();
            let range = if *name == "right" { (3.0 / depth as f32).sqrt() } else { *range };
            (*name, check::random(i as u64, len, -range..range))
        };
        let values = form.reads.iter().enumerate().map(draw).collect();
        Self { form, sizes, activation: Some(Activation::Silu), values }
    }

    pub fn with(mut self, name: &'static str, values: &[f32]) -> Self {
        let old = self.values.insert(name, values.to_vec());
        assert_eq!(old.map(|old| old.len()), Some(values.len()), "{name}");
        self
    }

    /// A layer of as many outputs as inputs that hands on its left side as it is.
    pub fn identity(entry: &str, batch: usize, size: usize, left: &[f32]) -> Self {
        let mut case = Self::new(entry, [batch, size, size]).with("left", left);
        case.values.entry("bias").and_modify(|bias| bias.fill(0.0));
        let unit = |i| if i % (size + 1) == 0 { 1.0 } else { 0.0 };
        case.with("right", &(0..size * size).map(unit).collect::<Vec<_>>())
    }

    pub fn values(&self, name: &str) -> &[f32] {
        &self.values[name]
    }

    pub fn wide(&self, name: &str) -> Vec<f64> {
        check::wide(&self.values[name])
    }

    pub fn oracle(&self) -> Wanted {
        (self.form.oracle)(self)
    }

    fn forward(&self) -> Vec<f64> {
        oracle::forward(&self.wide("left"), &self.wide("right"), &self.wide("bias"))
    }

    fn backward_input(&self) -> Vec<f64> {
        let [_, inputs, outputs] = self.sizes;
        oracle::backward_input(&self.wide("left"), &self.wide("right"), [inputs, outputs])
    }
}
