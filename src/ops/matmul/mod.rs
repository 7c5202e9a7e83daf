//! The matrix products of layers, which add the bias, apply the activation or take the optimizer's
//! step before they store the result. [`crate::ops::conv`] records those of convolutions.
//!
//! Each product is a form, which says which tensors are multiplied and what happens to the result,
//! in a [`Variant`], which says how the work is divided into workgroups and invocations. Matrices
//! are padded: see [`Tensor::matrix`]. A linear layer has x (batch, inputs), y (batch, outputs),
//! weight (outputs, inputs) and bias (outputs).

mod forms;
mod naive;
mod problem;
mod variant;
mod weights;

pub use forms::{entry, forms, shader};
pub use naive::{SHADER as NAIVE, Transposed, naive};
pub use problem::Problem;
pub use variant::Variant;
pub use weights::{WeightGradient, backward_weight, backward_weight_step};

use serde::Serialize;

use super::activation::{self, Activation, Origin};
use crate::gpu::{AdapterReport, Choices, Recording, Tensor};
pub(super) use forms::kernel;

/// The three matrix products of a layer in training.
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
    /// The product's name, with which the names of its entry points begin.
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

    /// The problem's name in [`Choices`], which does not depend on the batch.
    pub fn problem(self, inputs: usize, outputs: usize) -> String {
        format!("{} {inputs} to {outputs}", self.name())
    }

    /// The variant that `choices` name, if the adapter can run it, and otherwise the default.
    pub fn variant(self, adapter: &AdapterReport, choices: &Choices, sizes: [usize; 3]) -> Variant {
        let [height, width, _] = self.shape(sizes);
        chosen(adapter, choices, &self.problem(sizes[1], sizes[2]), [height, width])
    }
}

/// The variant that `choices` name for `problem`, if the adapter can run it, and otherwise the
/// default for a result of `height` by `width`.
fn chosen(
    adapter: &AdapterReport,
    choices: &Choices,
    problem: &str,
    [height, width]: [usize; 2],
) -> Variant {
    let words = choices.get(problem).filter(|_| choices.are_for(adapter));
    let variant = words.and_then(|words| words.parse().ok());
    variant
        .filter(|variant: &Variant| variant.fits(adapter))
        .unwrap_or_else(|| Variant::default_for(adapter, height, width))
}

/// Fails with the fault of the first of `choices` that is no variant, is for no product of `problems`,
/// or, where they were chosen on `adapter`, cannot be run there.
///
/// # Errors
///
/// The fault in words.
pub fn check_choices(
    adapter: &AdapterReport,
    choices: &Choices,
    problems: &[Problem],
) -> Result<(), String> {
    let known: Vec<_> = problems.iter().flat_map(|p| PRODUCTS.map(|of| p.key(of))).collect();
    for (problem, words) in choices.iter() {
        let Ok(variant) = words.parse::<Variant>() else {
            return Err(format!("names a kernel that is not known, `{words}` for `{problem}`"));
        };
        if !known.iter().any(|known| known == problem) {
            return Err(format!(
                "names a kernel for `{problem}`, which its model does not compute"
            ));
        }
        if choices.are_for(adapter) && !variant.fits(adapter) {
            return Err(format!("names the kernel `{words}`, which the adapter cannot run"));
        }
    }
    Ok(())
}

/// y = activation(pre), and the pre-activation `pre` = x · weightᵀ + bias, of y's layout.
#[expect(clippy::too_many_arguments, reason = "a layer's tensors")]
pub fn forward(
    recording: &mut Recording,
    label: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<Activation>,
    pre: &Tensor,
    y: &Tensor,
) {
    let tensors = [("left", x), ("right", weight), ("bias", bias), ("pre", pre), ("result", y)];
    let sizes = [x.rows(), weight.columns(), weight.rows()];
    assert_eq!([x.columns(), y.columns()], [sizes[1], sizes[2]], "{label}: inputs and outputs");
    assert!(x.rows() <= y.rows(), "{label}: rows");
    let call = Call::new(recording, Product::Forward, sizes, [x, weight, y]);
    call.record(recording, label, "matmul.forward", &[activation::constant(activation)], &tensors);
}

/// dx (batch, inputs) = dy · weight, multiplied by the derivative of `origin`'s activation, whose
/// output x is. dy is the gradient with respect to `pre` of [`forward`].
pub fn backward_input(
    recording: &mut Recording,
    label: &str,
    dy: &Tensor,
    weight: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    let tensors = [("left", dy), ("right", weight), ("pre", pre), ("result", dx)];
    let sizes = [dy.rows(), weight.columns(), weight.rows()];
    let call = Call::new(recording, Product::BackwardInput, sizes, [dy, weight, dx]);
    origin.assert_like(label, dx);
    call.record(
        recording,
        label,
        "matmul.backward_input",
        &[activation::constant(*activation)],
        &tensors,
    );
}

/// A product over a batch, with its variant and parameters.
struct Call {
    variant: Variant,
    params: Params,
}

#[derive(Serialize)]
struct Params {
    height: usize,
    width: usize,
    depth: usize,
    left_row: usize,
    right_row: usize,
    result_row: usize,
}

impl Call {
    fn new(
        recording: &Recording,
        product: Product,
        sizes: [usize; 3],
        tensors: [&Tensor; 3],
    ) -> Self {
        let [left_row, right_row, result_row] = tensors.map(|tensor| {
            assert!(tensor.stride().is_multiple_of(4), "matrices must be padded");
            tensor.stride() / 4
        });
        let [height, width, depth] = product.shape(sizes);
        let params = Params { height, width, depth, left_row, right_row, result_row };
        Self { variant: product.variant(recording.adapter(), recording.choices(), sizes), params }
    }

    fn groups(&self) -> usize {
        self.variant.groups(self.params.height, self.params.width)
    }

    fn record(
        &self,
        recording: &mut Recording,
        label: &str,
        form: &str,
        constants: &[(&'static str, u32)],
        tensors: &[(&str, &Tensor)],
    ) {
        let kernel = kernel(form, self.variant, constants);
        recording.record_flat(kernel, label, &self.params, tensors, self.groups());
    }
}
