//! Layers with hand-written backward passes, chains of them, and their parameters.

mod chain;
mod linear;
mod parameters;

pub use chain::Chain;
pub use linear::Linear;
pub use parameters::{Layout, ParameterSpec, Parameters};

use crate::gpu::{Plan, Tensor};
use crate::ops::matmul::WeightGradient;

/// What goes from layer to layer, and where it came from: whoever computes its gradient takes that
/// back through its origin at once.
#[derive(Clone)]
pub struct Value {
    /// (batch, values)
    pub tensor: Tensor,
    /// What it was computed by, if that has no dispatch of its own.
    pub origin: Origin,
}

/// How a [`Value`] came about; gradients are by what it was computed from.
#[derive(Clone)]
pub enum Origin {
    /// It was given: nobody asks for its gradient.
    Input,
    /// An activation of `pre`, which has its shape; the identity without a name.
    Activation {
        /// One of [`crate::ops::activation::NAMES`].
        name: Option<&'static str>,
        /// What went into it.
        pre: Tensor,
    },
    /// Reparameterization.
    Latent {
        /// Means, then log-variances (batch, 2 · latent).
        head: Tensor,
        /// Standard normals (batch · latent).
        epsilon: Tensor,
    },
}

/// A backward pass while it is recorded.
pub struct Backward<'a> {
    /// What it is recorded into.
    pub plan: &'a mut Plan,
    /// The model's parameters.
    pub parameters: &'a Parameters,
    /// One [`crate::ops::State`], for the weight of the KL divergence.
    pub state: &'a Tensor,
    /// What the parameters' gradients are to be computed from, of all layers at once.
    pub weights: Vec<WeightGradient>,
}

/// A differentiable step of a chain. Both passes record dispatches; nothing runs until the plan is
/// replayed.
pub trait Layer: Send + Sync {
    /// The parameters that it trains, in the order in which the passes receive them. Their names
    /// follow the layer's own: `weight` becomes `encoder.0.weight`.
    fn parameters(&self) -> Vec<ParameterSpec>;

    /// Records y = f(x) and returns y; x is (batch, inputs), y is (batch, outputs).
    fn forward(&self, plan: &mut Plan, label: &str, parameters: &[Tensor], x: &Value) -> Value;

    /// From dy (batch, outputs), the gradient by what y's origin is given, asks for the gradients of
    /// the parameters and records the gradient by what x's origin is given, which it returns;
    /// nothing for an input. `x` is what `forward` was given.
    fn backward(&self, pass: &mut Backward, label: &str, x: &Value, dy: &Tensor) -> Option<Tensor>;
}
