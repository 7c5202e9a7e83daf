//! Layers with hand-written backward passes, chains of them, and their parameters.

mod activation;
mod chain;
mod linear;
mod parameters;

pub use activation::Activation;
pub use chain::Chain;
pub use linear::Linear;
pub use parameters::{Layout, ParameterSpec, Parameters};

use crate::gpu::{Plan, Tensor};

/// A differentiable step of a chain. Both passes record dispatches; nothing runs until the plan is
/// replayed.
pub trait Layer: Send + Sync {
    /// The parameters that it trains, in the order in which the passes receive them. Their names
    /// follow the layer's own: `weight` becomes `encoder.0.weight`.
    fn parameters(&self) -> Vec<ParameterSpec>;

    /// Records y = f(x) and returns y; x is (batch, inputs), y is (batch, outputs).
    fn forward(&self, plan: &mut Plan, label: &str, parameters: &[Tensor], x: &Tensor) -> Tensor;

    /// Records the gradients of the parameters from dy (batch, outputs), and returns dx
    /// (batch, inputs) where `needs_dx`. `x` is what `forward` was given.
    #[expect(clippy::too_many_arguments, reason = "a struct of them would be as long, twice")]
    fn backward(
        &self,
        plan: &mut Plan,
        label: &str,
        parameters: &[Tensor],
        gradients: &[Tensor],
        x: &Tensor,
        dy: &Tensor,
        needs_dx: bool,
    ) -> Option<Tensor>;
}
