//! The matrix products of linear layers, with what follows them done before they are stored.
//!
//! Each product is a form (what is multiplied, and what becomes of the result) in one of the
//! [`Variant`]s (how the work is cut); its WGSL is put together from both. Matrices are padded: see
//! [`Tensor::matrix`]. A layer has x (batch, inputs), y (batch, outputs), weight (outputs, inputs)
//! and bias (outputs).

mod forms;
mod naive;
mod trial;
mod tune;
mod variant;
mod weights;

pub use forms::{forms, shader};
pub use naive::{SHADER as NAIVE, Transposed, naive};
pub use tune::{Tune, Tuned, tune};
pub use variant::Variant;
pub use weights::{WeightGradient, backward_weight, backward_weight_step};

use super::{activation, kind, likelihood};
use crate::gpu::{Choices, Gpu, Plan, Tensor};
use forms::kernel;

/// The three ways in which a layer's matrices are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// x · weightᵀ
    Forward,
    /// dy · weight
    BackwardInput,
    /// dyᵀ · x
    BackwardWeight,
}

/// Every [`Product`].
pub const PRODUCTS: [Product; 3] =
    [Product::Forward, Product::BackwardInput, Product::BackwardWeight];

impl Product {
    /// As entry points begin.
    pub fn name(self) -> &'static str {
        match self {
            Product::Forward => "forward",
            Product::BackwardInput => "backward_input",
            Product::BackwardWeight => "backward_weight",
        }
    }

    /// Height, width and depth of the product for a layer's sizes.
    pub fn shape(self, [batch, inputs, outputs]: [usize; 3]) -> [usize; 3] {
        match self {
            Product::Forward => [batch, outputs, inputs],
            Product::BackwardInput => [batch, inputs, outputs],
            Product::BackwardWeight => [outputs, inputs, batch],
        }
    }

    /// The problem's name in [`Choices`], whatever the batch.
    pub fn problem(self, inputs: usize, outputs: usize) -> String {
        format!("{} {inputs} to {outputs}", self.name())
    }

    /// The variant that `choices` name, if the adapter can run it, and otherwise the default.
    pub fn variant(self, gpu: &Gpu, choices: &Choices, sizes: [usize; 3]) -> Variant {
        let usable = choices.are_for(gpu.report());
        let chosen = choices.get(&self.problem(sizes[1], sizes[2])).filter(|_| usable);
        let chosen = chosen.and_then(|words| words.parse().ok());
        let [height, width, _] = self.shape(sizes);
        chosen
            .filter(|variant: &Variant| variant.fits(gpu.report()))
            .unwrap_or_else(|| Variant::default_for(gpu.report(), height, width))
    }
}

/// y = activation(x · weightᵀ + bias), and `pre`, like y, before the activation.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    y: &Tensor,
) {
    let tensors = [("left", x), ("right", weight), ("bias", bias), ("pre", pre), ("result", y)];
    let sizes = [x.rows(), weight.columns(), weight.rows()];
    let call = Call::new(plan, Product::Forward, sizes, [x, weight, y]);
    call.record(plan, label, "forward", &[activation::constant(activation)], &tensors);
}

/// head (batch, 2 · latent) = x · weightᵀ + bias, its rows the mean, then the log-variance;
/// z (batch, latent) = mean + exp(logvar / 2) · epsilon (batch · latent). Returns the KL divergence
/// from the standard normal prior, ½ Σ (mean² + exp(logvar) − logvar − 1), in nats, in parts that
/// add up to the batch's sum (Kingma and Welling 2013).
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward_latent(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: &Tensor,
    head: &Tensor,
    z: &Tensor,
) -> Tensor {
    let latent = z.columns();
    let sizes = [x.rows(), weight.columns(), weight.rows()];
    let mut call = Call::new(plan, Product::Forward, sizes, [x, weight, head]);
    // Units in pairs: their means, then their log-variances.
    call.params[1] = 4 * latent.div_ceil(2) as u32;
    call.params[6] = latent as u32;
    call.params[7] = z.stride() as u32 / 4;
    let losses = plan.vector(call.groups() * call.variant.partials());
    let tensors = [
        ("left", x),
        ("right", weight),
        ("bias", bias),
        ("epsilon", epsilon),
        ("head", head),
        ("z", z),
        ("losses", &losses),
    ];
    call.record(plan, label, "forward_latent", &[], &tensors);
    losses
}

/// The decoder's last layer and its loss against `target` (batch, outputs): dy is the gradient of
/// the batch mean of the loss by what the activation is given. Returns the loss under the
/// `likelihood` of [`likelihood::NAMES`], in nats, in parts that add up to the batch's sum.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward_loss(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<&str>,
    likelihood: &str,
    target: &Tensor,
    dy: &Tensor,
) -> Tensor {
    assert_eq!(target.stride(), dy.stride(), "{label}: layouts differ");
    let sizes = [x.rows(), weight.columns(), weight.rows()];
    let call = Call::new(plan, Product::Forward, sizes, [x, weight, dy]);
    let losses = plan.vector(call.groups() * call.variant.partials());
    let tensors = [
        ("left", x),
        ("right", weight),
        ("bias", bias),
        ("x", target),
        ("result", dy),
        ("losses", &losses),
    ];
    let likelihood = ("LIKELIHOOD", kind(&likelihood::NAMES, likelihood));
    let constants = [activation::constant(activation), likelihood];
    call.record(plan, label, "forward_loss", &constants, &tensors);
    losses
}

/// dx (batch, inputs) = dy · weight, times the slope of the activation at `pre` (batch, inputs).
pub fn backward_input(
    plan: &mut Plan,
    label: &str,
    dy: &Tensor,
    weight: &Tensor,
    activation: Option<&str>,
    pre: &Tensor,
    dx: &Tensor,
) {
    let tensors = [("left", dy), ("right", weight), ("pre", pre), ("result", dx)];
    let sizes = [dy.rows(), weight.columns(), weight.rows()];
    let call = Call::new(plan, Product::BackwardInput, sizes, [dy, weight, dx]);
    assert_eq!(pre.stride(), dx.stride(), "{label}: layouts differ");
    call.record(plan, label, "backward_input", &[activation::constant(activation)], &tensors);
}

/// dhead (batch, 2 · latent) from dz = dy · weight, plus the gradient of the batch mean of β · KL
/// with β from `state`; head and epsilon are those of [`forward_latent`].
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn backward_latent(
    plan: &mut Plan,
    label: &str,
    state: &Tensor,
    dy: &Tensor,
    weight: &Tensor,
    head: &Tensor,
    epsilon: &Tensor,
    dhead: &Tensor,
) {
    let tensors = [
        ("left", dy),
        ("right", weight),
        ("state", state),
        ("head", head),
        ("epsilon", epsilon),
        ("dhead", dhead),
    ];
    let sizes = [dy.rows(), weight.columns(), weight.rows()];
    assert_eq!(head.stride(), dhead.stride(), "{label}: layouts differ");
    let call = Call::new(plan, Product::BackwardInput, sizes, [dy, weight, dhead]);
    call.record(plan, label, "backward_latent", &[], &tensors);
}

/// A product over a batch with its variant chosen.
struct Call {
    variant: Variant,
    /// Height, width, depth, quads from row to row of left, right and result, and two of the form's.
    params: [u32; 8],
}

impl Call {
    fn new(plan: &Plan, product: Product, sizes: [usize; 3], tensors: [&Tensor; 3]) -> Self {
        let quads = tensors.map(|tensor| {
            assert!(tensor.stride().is_multiple_of(4), "matrices must be padded");
            tensor.stride() / 4
        });
        let shape = product.shape(sizes);
        let params = [&shape[..], &quads, &[0, 0]].concat();
        let params = std::array::from_fn(|i| params[i] as u32);
        Self { variant: product.variant(plan.gpu(), plan.choices(), sizes), params }
    }

    fn groups(&self) -> usize {
        self.variant.groups(self.params[0] as usize, self.params[1] as usize)
    }

    fn record(
        &self,
        plan: &mut Plan,
        label: &str,
        entry: &str,
        constants: &[(&'static str, u32)],
        tensors: &[(&str, &Tensor)],
    ) {
        let kernel = kernel(plan.gpu(), entry, self.variant, constants);
        plan.record_flat(kernel, label, &self.params, tensors, self.groups());
    }
}
