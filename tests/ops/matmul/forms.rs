//! The products over a batch as a table.

use std::collections::BTreeMap;

use vae_gpu::gpu::{Plan, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::matmul::{self, Product};

use super::oracle;
use crate::check;

/// A tensor's shape for a layer's batch, inputs and outputs; matrices have two dimensions.
type Shape = fn([usize; 3]) -> Vec<usize>;

/// What a form reads or writes: its variable in the shader, its shape, and by how much values may be
/// wrong in norm, or what they are drawn from.
type Binding<T> = (&'static str, Shape, T);

/// A tensor by its variable.
type Find<'a> = &'a dyn Fn(&str) -> Tensor;

/// What a form should write, and its loss.
pub type Wanted = (Vec<Vec<f64>>, Option<f64>);

pub struct Form {
    pub entry: &'static str,
    pub product: Product,
    /// The layer for batch, inputs and outputs as the cases have them.
    layer: fn([usize; 3]) -> [usize; 3],
    pub reads: &'static [Binding<f32>],
    pub writes: &'static [Binding<f64>],
    /// Whether its shader takes an activation, and a likelihood.
    pub takes: [bool; 2],
    /// The wrapper; returns the losses, if there are any.
    pub record: fn(&mut Plan, &Case, Find) -> Option<Tensor>,
    /// The first three and the last two of the kernel's sizes.
    pub params: fn([usize; 3]) -> [usize; 5],
    /// What it writes, and its loss.
    oracle: fn(&Case) -> Wanted,
}

const X: Shape = |[batch, inputs, _]| vec![batch, inputs];
const Y: Shape = |[batch, _, outputs]| vec![batch, outputs];
const WEIGHT: Shape = |[_, inputs, outputs]| vec![outputs, inputs];
const BIAS: Shape = |[_, _, outputs]| vec![outputs];
const STATE: Shape = |_| vec![7];

/// A sum of n random products, each rounded to 2⁻²⁴ of the sum so far, is wrong by about
/// 0.4 √n · 2⁻²⁴ of its size: 1e-6 for the longest here.
pub const PRODUCT: f64 = 3e-6;
/// An activation adds its own 1e-5 at worst.
const ACTIVATED: f64 = 1e-5;

pub const KL_WEIGHT: f32 = 0.7;

pub const FORMS: [Form; 5] = [
    Form {
        entry: "forward",
        product: Product::Forward,
        layer: |sizes| sizes,
        reads: &[("left", X, 1.0), ("right", WEIGHT, 0.0), ("bias", BIAS, 1.0)],
        writes: &[("pre", Y, PRODUCT), ("result", Y, ACTIVATED)],
        takes: [true, false],
        record: |plan, case, t| {
            let (x, weight, bias) = (t("left"), t("right"), t("bias"));
            let (pre, y) = (t("pre"), t("result"));
            matmul::forward(plan, "test", &x, &weight, &bias, case.activation, &pre, &y);
            None
        },
        params: |[batch, inputs, outputs]| [batch, outputs, inputs, 0, 0],
        oracle: |case| {
            let pre = case.forward();
            let y = pre.iter().map(|&x| oracle::value(case.activation(), x)).collect();
            (vec![pre, y], None)
        },
    },
    Form {
        entry: "forward_latent",
        product: Product::Forward,
        layer: |[batch, inputs, latent]| [batch, inputs, 2 * latent],
        reads: &[
            ("left", X, 1.0),
            ("right", WEIGHT, 0.0),
            ("bias", BIAS, 1.0),
            ("epsilon", |[batch, _, outputs]| vec![batch * outputs / 2], 2.0),
        ],
        writes: &[
            ("head", Y, PRODUCT),
            ("z", |[batch, _, outputs]| vec![batch, outputs / 2], ACTIVATED),
        ],
        takes: [false, false],
        record: |plan, _, t| {
            let (x, weight, bias, epsilon) = (t("left"), t("right"), t("bias"), t("epsilon"));
            let (head, z) = (t("head"), t("z"));
            Some(matmul::forward_latent(plan, "test", &x, &weight, &bias, &epsilon, &head, &z))
        },
        params: |[batch, inputs, outputs]| {
            let latent = outputs / 2;
            [batch, 4 * latent.div_ceil(2), inputs, latent, latent.div_ceil(4)]
        },
        oracle: |case| {
            let head = case.forward();
            let (z, kl) = oracle::latent(&head, &case.wide("epsilon"), case.sizes[2] / 2);
            (vec![head, z], Some(kl))
        },
    },
    Form {
        entry: "forward_loss",
        product: Product::Forward,
        layer: |sizes| sizes,
        reads: &[("left", X, 1.0), ("right", WEIGHT, 0.0), ("bias", BIAS, 1.0), ("x", Y, 1.0)],
        writes: &[("result", Y, ACTIVATED)],
        takes: [true, true],
        record: |plan, case, t| {
            let (h, weight, bias) = (t("left"), t("right"), t("bias"));
            let (activation, likelihood) = (case.activation, case.likelihood);
            let (x, dy) = (t("x"), t("result"));
            Some(matmul::forward_loss(
                plan, "test", &h, &weight, &bias, activation, likelihood, &x, &dy,
            ))
        },
        params: |[batch, inputs, outputs]| [batch, outputs, inputs, 0, 0],
        oracle: |case| {
            let names = [case.activation(), case.likelihood];
            let (loss, dy) = oracle::loss(names, case.sizes[0], &case.forward(), &case.wide("x"));
            (vec![dy], Some(loss))
        },
    },
    Form {
        entry: "backward_input",
        product: Product::BackwardInput,
        layer: |sizes| sizes,
        reads: &[("left", Y, 1.0), ("right", WEIGHT, 0.0), ("pre", X, 4.0)],
        writes: &[("result", X, ACTIVATED)],
        takes: [true, false],
        record: |plan, case, t| {
            let (dy, weight, pre, dx) = (t("left"), t("right"), t("pre"), t("result"));
            matmul::backward_input(plan, "test", &dy, &weight, case.activation, &pre, &dx);
            None
        },
        params: |[batch, inputs, outputs]| [batch, inputs, outputs, 0, 0],
        oracle: |case| {
            let (dx, pre) = (case.backward_input(), case.wide("pre"));
            let pairs = dx.iter().zip(pre);
            let dx = pairs.map(|(dx, pre)| dx * oracle::slope(case.activation(), pre));
            (vec![dx.collect()], None)
        },
    },
    Form {
        entry: "backward_latent",
        product: Product::BackwardInput,
        layer: |sizes| sizes,
        reads: &[
            ("left", Y, 1.0),
            ("right", WEIGHT, 0.0),
            ("state", STATE, 0.0),
            ("head", |[batch, latent, _]| vec![batch, 2 * latent], 3.0),
            ("epsilon", |[batch, latent, _]| vec![batch * latent], 2.0),
        ],
        writes: &[("dhead", |[batch, latent, _]| vec![batch, 2 * latent], ACTIVATED)],
        takes: [false, false],
        record: |plan, _, t| {
            let (state, dy, weight) = (t("state"), t("left"), t("right"));
            let (head, epsilon, dhead) = (t("head"), t("epsilon"), t("dhead"));
            matmul::backward_latent(plan, "test", &state, &dy, &weight, &head, &epsilon, &dhead);
            None
        },
        params: |[batch, inputs, outputs]| [batch, inputs, outputs, 0, 0],
        oracle: |case| {
            let (head, epsilon) = (case.wide("head"), case.wide("epsilon"));
            let (dz, latent) = (case.backward_input(), case.sizes[1]);
            (vec![oracle::latent_slope(&head, &epsilon, &dz, latent, KL_WEIGHT.into())], None)
        },
    },
];

impl Form {
    pub fn has_loss(&self) -> bool {
        matches!(self.entry, "forward_latent" | "forward_loss")
    }
}

/// The form whose entry point is `entry`.
fn form(entry: &str) -> &'static Form {
    FORMS.iter().find(|form| form.entry == entry).unwrap()
}

/// What a form reads, on the host.
pub struct Case {
    pub form: &'static Form,
    /// Of the layer: batch, inputs and outputs.
    pub sizes: [usize; 3],
    pub activation: Option<&'static str>,
    pub likelihood: &'static str,
    pub values: BTreeMap<&'static str, Vec<f32>>,
}

impl Case {
    /// Random values, so that sums are about as large as their terms.
    pub fn new(entry: &str, sizes: [usize; 3]) -> Self {
        let form = form(entry);
        let sizes = (form.layer)(sizes);
        let [_, _, depth] = form.product.shape(sizes);
        let draw = |(i, (name, shape, range)): (usize, &Binding<f32>)| {
            let len = shape(sizes).iter().product();
            let range = if *name == "right" { (3.0 / depth as f32).sqrt() } else { *range };
            let low = if *name == "x" { 0.0 } else { -range };
            let values = match *name {
                "state" => {
                    let state = State { kl_weight: KL_WEIGHT, ..State::default() };
                    bytemuck::cast::<State, [f32; 7]>(state).to_vec()
                }
                _ => check::random(i as u64, len, low..range),
            };
            (*name, values)
        };
        let values = form.reads.iter().enumerate().map(draw).collect();
        Self { form, sizes, activation: Some("silu"), likelihood: "gaussian", values }
    }

    pub fn with(mut self, name: &'static str, values: &[f32]) -> Self {
        let old = self.values.insert(name, values.to_vec());
        assert_eq!(old.map(|old| old.len()), Some(values.len()), "{name}");
        self
    }

    /// A layer of as many outputs as inputs that hands on its left side as it is.
    pub fn identity(entry: &str, batch: usize, size: usize, left: &[f32]) -> Self {
        let outputs = if entry == "forward_latent" { size / 2 } else { size };
        let mut case = Self::new(entry, [batch, size, outputs]).with("left", left);
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

    pub fn oracle(&self) -> (Vec<Vec<f64>>, Option<f64>) {
        (self.form.oracle)(self)
    }

    fn activation(&self) -> &'static str {
        self.activation.unwrap_or("none")
    }

    fn forward(&self) -> Vec<f64> {
        oracle::forward(&self.wide("left"), &self.wide("right"), &self.wide("bias"))
    }

    fn backward_input(&self) -> Vec<f64> {
        let [_, inputs, outputs] = self.sizes;
        oracle::backward_input(&self.wide("left"), &self.wide("right"), [inputs, outputs])
    }
}
