//! Elementwise activations, as PyTorch defines them. Most are computed in the dispatch that
//! computes the pre-activation: see [`super::matmul::forward`] and
//! `shaders/shared/activation.wgsl`.

use std::str::FromStr;

use crate::gpu::{Recording, Tensor};

/// An elementwise function between layers. Its discriminant is the value of the shaders' constant
/// `ACTIVATION`; [`Activation::COUNT`] stands for the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x from 0 up, 0.01 · x below.
    LeakyRelu,
    /// x from 0 up, exp(x) − 1 below.
    Elu,
    /// x · Φ(x), Φ the standard normal distribution function: PyTorch's default, without `tanh`.
    Gelu,
    /// x · sigmoid(x)
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(−x))
    Sigmoid,
    /// log(1 + exp(x))
    Softplus,
}

use Activation::*;

impl Activation {
    /// Every activation, in the order of their discriminants.
    pub const ALL: [Self; 8] = [Relu, LeakyRelu, Elu, Gelu, Silu, Tanh, Sigmoid, Softplus];

    /// Number of activations.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// Whether its derivative can be computed from its output instead of its argument, with equal
    /// bits, so that the pre-activation need not be kept.
    pub fn has_slope_of_output(self) -> bool {
        self == Relu
    }

    /// The name in configurations: PyTorch's function.
    pub fn name(self) -> &'static str {
        match self {
            Relu => "relu",
            LeakyRelu => "leaky_relu",
            Elu => "elu",
            Gelu => "gelu",
            Silu => "silu",
            Tanh => "tanh",
            Sigmoid => "sigmoid",
            Softplus => "softplus",
        }
    }
}

impl FromStr for Activation {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|activation| activation.name() == name).ok_or(())
    }
}

/// The activation f whose output a value is, and its pre-activation. The dispatch that computes the
/// gradient with respect to the value multiplies it by f'(pre), so that it stores the gradient with
/// respect to the pre-activation.
#[derive(Clone)]
pub struct Origin {
    /// The activation; `None` for the identity.
    pub activation: Option<Activation>,
    /// The pre-activation, of the value's shape and layout; the value itself without an activation.
    pub pre: Tensor,
}

impl Origin {
    /// Panics unless the pre-activation has the layout of `dx`, the gradient that is multiplied by
    /// f'.
    pub(super) fn assert_like(&self, label: &str, dx: &Tensor) {
        let layout = |tensor: &Tensor| (tensor.rows(), tensor.columns(), tensor.stride());
        let fits = self.activation.is_none() || layout(&self.pre) == layout(dx);
        assert!(fits, "{label}: layouts of the pre-activation and the gradient differ");
    }
}

/// The shaders' constant `ACTIVATION` for an activation, or for the identity if `None`.
pub(super) fn constant(activation: Option<Activation>) -> (&'static str, u32) {
    ("ACTIVATION", activation.map_or(Activation::COUNT, |activation| activation as u32))
}

/// The tensor to bind to a kernel's `pre`. Without an activation the kernel does not read it, and
/// it is a small tensor of its own, since the origin's `pre` may be bound already.
pub(super) fn argument(recording: &Recording, origin: Option<&Origin>) -> Tensor {
    let activated = origin.filter(|origin| origin.activation.is_some());
    activated.map_or_else(|| recording.vector(4), |origin| origin.pre.clone())
}
