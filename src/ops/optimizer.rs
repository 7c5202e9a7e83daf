//! Optimizers, which follow the single-tensor algorithms of `torch.optim`.

use serde::{Deserialize, Serialize};

use super::schedule::{self, Schedule};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/optimizer.wgsl`.
pub const SHADER: Shader = Shader::new("optimizer");

/// An update rule and its learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    /// The rule by which gradients change the parameters.
    pub rule: Rule,
    /// The learning rate as a function of the steps taken.
    pub learning_rate: Schedule,
}

impl Default for Optimizer {
    /// Adam with a learning rate of 1e-3.
    fn default() -> Self {
        Self { rule: Rule::default(), learning_rate: Schedule::constant(1e-3) }
    }
}

impl Optimizer {
    /// Plain stochastic gradient descent with a constant learning rate.
    pub fn sgd(learning_rate: f64) -> Self {
        let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        Self { rule, learning_rate: Schedule::constant(learning_rate) }
    }

    /// Adam (Kingma and Ba 2014) with PyTorch's defaults and a constant learning rate.
    pub fn adam(learning_rate: f64) -> Self {
        Self { learning_rate: Schedule::constant(learning_rate), ..Self::default() }
    }
}

/// An update rule. Fields that a file leaves out have PyTorch's defaults. Weight decay is added to
/// the gradient as that of an L2 penalty, except in AdamW, where it shrinks the parameter itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
#[serde(expecting = "a table, as in { name = \"sgd\" }")]
#[expect(missing_docs, reason = "the fields are PyTorch's")]
pub enum Rule {
    /// Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's.
    Sgd {
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        nesterov: bool,
        #[serde(default)]
        weight_decay: f64,
    },
    /// RMSprop (Tieleman and Hinton 2012), not centred.
    RmsProp {
        #[serde(default = "default::alpha")]
        alpha: f64,
        #[serde(default = "default::epsilon")]
        epsilon: f64,
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adagrad (Duchi, Hazan and Singer 2011).
    Adagrad {
        #[serde(default)]
        lr_decay: f64,
        #[serde(default = "default::adagrad_epsilon")]
        epsilon: f64,
        #[serde(default)]
        initial_accumulator_value: f64,
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2014).
    Adam {
        #[serde(default = "default::beta1")]
        beta1: f64,
        #[serde(default = "default::beta2")]
        beta2: f64,
        #[serde(default = "default::epsilon")]
        epsilon: f64,
        #[serde(default)]
        weight_decay: f64,
    },
    /// AdamW (Loshchilov and Hutter 2017).
    AdamW {
        #[serde(default = "default::beta1")]
        beta1: f64,
        #[serde(default = "default::beta2")]
        beta2: f64,
        #[serde(default = "default::epsilon")]
        epsilon: f64,
        #[serde(default = "default::adamw_weight_decay")]
        weight_decay: f64,
    },
}

/// PyTorch's defaults that are not zero.
mod default {
    pub fn alpha() -> f64 {
        0.99
    }

    pub fn beta1() -> f64 {
        0.9
    }

    pub fn beta2() -> f64 {
        0.999
    }

    pub fn epsilon() -> f64 {
        1e-8
    }

    pub fn adagrad_epsilon() -> f64 {
        1e-10
    }

    pub fn adamw_weight_decay() -> f64 {
        1e-2
    }
}

impl Default for Rule {
    fn default() -> Self {
        let (beta1, beta2) = (default::beta1(), default::beta2());
        Self::Adam { beta1, beta2, epsilon: default::epsilon(), weight_decay: 0.0 }
    }
}

/// Mirrors the shader struct `Optimizer` of `shaders/shared/optimizer.wgsl`.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Coefficients {
    schedule: schedule::Constants,
    weight_decay: f64,
    epsilon: f64,
    momentum: f64,
    lr_decay: f64,
    beta2: f64,
    one_minus_beta1: f64,
    one_minus_beta2: f64,
    log_beta1: f64,
    log_beta2: f64,
}

impl Rule {
    /// The value of the shaders' constant OPTIMIZER.
    fn number(&self) -> u32 {
        match self {
            Self::Sgd { .. } => 0,
            Self::RmsProp { .. } => 1,
            Self::Adagrad { .. } => 2,
            Self::Adam { .. } => 3,
            Self::AdamW { .. } => 4,
        }
    }

    /// The rule's name in configurations, which is PyTorch's.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adagrad { .. } => "adagrad",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// Value of the second moment before the first step; the first moment begins at zero.
    pub fn initial_second_moment(&self) -> f64 {
        match *self {
            Self::Adagrad { initial_accumulator_value, .. } => initial_accumulator_value,
            _ => 0.0,
        }
    }
}

impl Optimizer {
    /// The shaders' constants.
    pub(super) fn constants(&self) -> [(&'static str, u32); 2] {
        let momentum = match self.rule {
            Rule::Sgd { momentum, nesterov: true, .. } if momentum > 0.0 => 2,
            Rule::Sgd { momentum, .. } | Rule::RmsProp { momentum, .. } => {
                u32::from(momentum > 0.0)
            }
            _ => 0,
        };
        [("OPTIMIZER", self.rule.number()), ("MOMENTUM", momentum)]
    }

    pub(super) fn coefficients(&self) -> Coefficients {
        let none =
            Coefficients { schedule: self.learning_rate.constants(), ..Coefficients::default() };
        let of_second = |beta2: f64, epsilon: f64, weight_decay: f64| Coefficients {
            weight_decay,
            epsilon,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            log_beta2: log(beta2),
            ..none
        };
        match self.rule {
            Rule::Sgd { momentum, weight_decay, .. } => {
                Coefficients { momentum, weight_decay, ..none }
            }
            Rule::RmsProp { alpha, epsilon, momentum, weight_decay } => {
                let of_second = of_second(alpha, epsilon, weight_decay);
                Coefficients { momentum, ..of_second }
            }
            Rule::Adagrad { lr_decay, epsilon, weight_decay, .. } => {
                let of_second = of_second(0.0, epsilon, weight_decay);
                Coefficients { lr_decay, ..of_second }
            }
            Rule::Adam { beta1, beta2, epsilon, weight_decay }
            | Rule::AdamW { beta1, beta2, epsilon, weight_decay } => Coefficients {
                momentum: beta1,
                one_minus_beta1: 1.0 - beta1,
                log_beta1: log(beta1),
                ..of_second(beta2, epsilon, weight_decay)
            },
        }
    }
}

/// The logarithm of `beta`, bounded below so that it is finite for 0: exp of -110 is zero in 32
/// bits.
fn log(beta: f64) -> f64 {
    beta.ln().max(-110.0)
}

#[derive(Serialize)]
struct Params {
    optimizer: Coefficients,
    count: usize,
}

/// The optimizer and the tensors of a step. All tensors but the state are of one length, padded by
/// zeros to a multiple of 4: the buffer of all parameters, or a part of it.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    /// The rule and the schedule of the learning rate.
    pub optimizer: &'a Optimizer,
    /// A [`super::State`], whose step gives the learning rate.
    pub state: &'a Tensor,
    /// The parameters that are updated.
    pub parameter: &'a Tensor,
    /// The first and the second moments of the gradients, of which a rule updates those that it
    /// needs: see `shaders/shared/optimizer.wgsl`. They begin as zeros and
    /// [`Rule::initial_second_moment`].
    pub moments: [&'a Tensor; 2],
}

impl Update<'_> {
    /// The tensors that kernels bind: `others`, then those of the update.
    pub(super) fn bind<'a>(
        &'a self,
        others: &[(&'a str, &'a Tensor)],
    ) -> Vec<(&'a str, &'a Tensor)> {
        let Self { state, parameter, moments: [first, second], .. } = *self;
        let own = [("state", state), ("parameter", parameter)];
        [others, &own, &[("first_moment", first), ("second_moment", second)]].concat()
    }
}

/// Takes one step from `gradient`, of the parameter's length, multiplied by the first element of
/// `factor` if there is one ([`super::clip::factor`]).
pub fn step(
    recording: &mut Recording,
    label: &str,
    update: &Update,
    gradient: &Tensor,
    factor: Option<&Tensor>,
) {
    let Update { optimizer, parameter, moments: [first, second], .. } = update;
    let lengths = [gradient, first, second].map(Tensor::extent);
    assert_eq!(lengths, [parameter.extent(); 3], "{label}: lengths differ");
    let kernel = SHADER.kernel("step", &optimizer.constants());
    let count = parameter.extent().div_ceil(4);
    let params = Params { optimizer: optimizer.coefficients(), count };
    let whole = factor.is_none().then(|| Tensor::constant("one", &[1.0f32]));
    let factor = factor.or(whole.as_ref()).expect("one of them");
    let tensors = update.bind(&[("factor", factor), ("gradient", gradient)]);
    recording.record_elements(kernel, label, &params, &tensors, count);
}
