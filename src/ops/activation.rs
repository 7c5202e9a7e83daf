//! Elementwise activations, as PyTorch defines them. They are computed where their argument is: see
//! [`super::matmul::forward`] and `shaders/shared/activation.wgsl`.

use std::str::FromStr;

use crate::gpu::{Recording, Tensor};

/// An elementwise function between layers. Its number, as the shaders' constant `ACTIVATION` counts,
/// is its place here; [`Activation::COUNT`] stands for the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x from 0 up, 0.01 · x below.
    LeakyRelu,
    /// x from 0 up, exp(x) − 1 below.
    Elu,
    /// x · Φ(x), Φ the standard normal distribution function, by erf and not its approximation.
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
    /// Every activation, in the order of their numbers.
    pub const ALL: [Self; 8] = [Relu, LeakyRelu, Elu, Gelu, Silu, Tanh, Sigmoid, Softplus];

    /// How many there are.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// Whether its slope can be read at its value as well as at its argument, with equal bits, so that
    /// the argument need not be kept.
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

/// The activation that a value came out of. Whoever computes the gradient by such a value multiplies
/// it by the activation's slope, so that it is the gradient by the pre-activation.
#[derive(Clone)]
pub struct Origin {
    /// The activation; the identity without one.
    pub activation: Option<Activation>,
    /// The pre-activation, of the value's shape and layout; the value itself where there is no
    /// activation.
    pub pre: Tensor,
}

impl Origin {
    /// Panics unless the pre-activation lies as `dx` does, which is to be multiplied by the slope.
    pub(super) fn assert_like(&self, label: &str, dx: &Tensor) {
        let layout = |tensor: &Tensor| (tensor.rows(), tensor.columns(), tensor.stride());
        let fits = self.activation.is_none() || layout(&self.pre) == layout(dx);
        assert!(fits, "{label}: layouts of the pre-activation and the gradient differ");
    }
}

/// The shaders' constant for an activation, or the identity.
pub(super) fn constant(activation: Option<Activation>) -> (&'static str, u32) {
    ("ACTIVATION", activation.map_or(Activation::COUNT, |activation| activation as u32))
}

/// What kernels are to read the slope at: where there is no activation they read nothing, and `pre`
/// may be a tensor that is bound already.
pub(super) fn argument(recording: &Recording, origin: Option<&Origin>) -> Tensor {
    let activated = origin.filter(|origin| origin.activation.is_some());
    activated.map_or_else(|| recording.vector(4), |origin| origin.pre.clone())
}
