//! Layers with hand-written backward passes, chains of them, and their parameters.

mod activation;
mod batch_norm;
mod chain;
mod conv;
mod dropout;
mod flatten;
mod layer_norm;
mod linear;
mod parameters;
mod pixel_shuffle;
mod pool;
mod reshape;
mod residual;
mod shape;
mod spec;
mod upsample;

use std::cell::Cell;

pub use chain::{Chain, Link};
pub use linear::Linear;
pub use parameters::{Layout, ParameterSpec, Parameters};
pub use shape::Shape;
pub use spec::{LayerSpec, Setting};

use crate::gpu::{Recording, Tensor};
use crate::ops::activation::{Activation, Origin};
use crate::ops::matmul::{Problem, WeightGradient};
use crate::ops::{self, Extent};

/// A layer as configurations name it.
struct LayerKind {
    name: &'static str,
    /// Whether something stands behind the name: a size, a probability, layers.
    sized: bool,
    options: &'static [&'static str],
    /// Makes it of its specification for inputs of a shape, or says what it wants.
    build: BuildLayer,
}

type BuildLayer = fn(&LayerSpec, Shape, &Build) -> Result<Box<dyn Layer>, String>;

const WINDOW: &[&str] = &["stride", "padding"];
const CONVOLUTION: &[&str] = &["kernel", "stride", "padding"];
const TRANSPOSED: &[&str] = &["kernel", "stride", "padding", "output_padding"];

/// Every layer but the activations.
#[rustfmt::skip]
const LAYERS: &[LayerKind] = &[
    LayerKind { name: "linear", sized: true, options: &[], build: linear::build },
    LayerKind { name: "conv2d", sized: true, options: CONVOLUTION, build: conv::conv2d },
    LayerKind { name: "conv_transpose2d", sized: true, options: TRANSPOSED, build: conv::conv_transpose2d },
    LayerKind { name: "max_pool2d", sized: true, options: WINDOW, build: pool::max },
    LayerKind { name: "avg_pool2d", sized: true, options: WINDOW, build: pool::avg },
    LayerKind { name: "upsample", sized: true, options: &[], build: upsample::build },
    LayerKind { name: "pixel_shuffle", sized: true, options: &[], build: pixel_shuffle::build },
    LayerKind { name: "flatten", sized: false, options: &[], build: flatten::build },
    LayerKind { name: "reshape", sized: true, options: &[], build: reshape::build },
    LayerKind { name: "batch_norm", sized: false, options: &[], build: batch_norm::build },
    LayerKind { name: "layer_norm", sized: false, options: &[], build: layer_norm::build },
    LayerKind { name: "dropout", sized: true, options: &[], build: dropout::build },
    LayerKind { name: "residual", sized: true, options: &[], build: residual::build },
];

/// What layers are built in.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// Shape of the model's images.
    pub image: Shape,
    /// Name of the layer that is being built.
    pub label: &'a str,
    /// Layers so far that draw random numbers.
    pub draws: &'a Cell<u32>,
}

/// What goes from layer to layer. Whoever computes its gradient takes that back at once through the
/// activation that it came out of.
#[derive(Clone)]
pub struct Value {
    /// A batch, laid out as its [`Shape`] says.
    pub tensor: Tensor,
    /// What it came out of; nothing for an input, for whose gradient nobody asks.
    pub origin: Option<Origin>,
    /// What the layer that made it keeps for its backward pass.
    pub saved: Vec<Tensor>,
    /// What went from layer to layer within that layer.
    pub inner: Vec<Value>,
}

impl Value {
    /// What nobody asks a gradient for.
    pub fn input(tensor: Tensor) -> Self {
        Self { tensor, origin: None, saved: Vec::new(), inner: Vec::new() }
    }

    /// The output of a layer without an activation.
    pub fn new(tensor: Tensor) -> Self {
        Self::activated(None, tensor.clone(), tensor)
    }

    /// y, an activation of `pre`.
    pub fn activated(name: Option<Activation>, pre: Tensor, y: Tensor) -> Self {
        let origin = Some(Origin { activation: name, pre });
        Self { tensor: y, origin, saved: Vec::new(), inner: Vec::new() }
    }
}

/// What random draws of a training step depend on.
#[derive(Clone, Copy)]
pub struct Draws<'a> {
    /// Of the run.
    pub seed: u64,
    /// One [`crate::ops::State`], for the step.
    pub state: &'a Tensor,
}

/// A forward pass while it is recorded.
pub struct Forward<'a> {
    /// What it is recorded into.
    pub plan: &'a mut Recording,
    /// Images in the batch.
    pub batch: usize,
    /// The model's parameters.
    pub parameters: &'a Parameters,
    /// What layers keep beside them.
    pub statistics: &'a Parameters,
    /// Of a training step; nothing in evaluation, where layers behave otherwise.
    pub training: Option<Draws<'a>>,
}

/// A backward pass while it is recorded.
pub struct Backward<'a> {
    /// What it is recorded into.
    pub plan: &'a mut Recording,
    /// Images in the batch.
    pub batch: usize,
    /// The model's parameters.
    pub parameters: &'a Parameters,
    /// Where gradients go that no matrix product gives.
    pub gradients: Option<&'a Parameters>,
    /// What the forward pass had.
    pub training: Draws<'a>,
    /// What the other parameters' gradients are to be computed from, of all layers at once.
    pub weights: Vec<WeightGradient>,
    /// Likewise, of the layers that convolve.
    pub convolutions: Vec<ops::conv::WeightGradient>,
}

/// A differentiable step of a chain. Both passes record dispatches; nothing runs until the plan is
/// replayed.
pub trait Layer: Send + Sync {
    /// Shape of y for each image.
    fn output(&self) -> Shape;

    /// The parameters that it trains, in the order in which the passes receive them. Their names
    /// follow the layer's own: `weight` becomes `encoder.0.weight`.
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// What it keeps beside them from step to step, which no gradient changes: PyTorch's buffers.
    fn statistics(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Whether matrix products give the gradients of all its parameters, so that the optimizer can
    /// do its step where they are computed.
    fn is_fusible(&self) -> bool {
        true
    }

    /// The matrix products of a training step, to be tuned.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// The layers that it consists of, if it is a block.
    fn inner(&self) -> Option<&Chain> {
        None
    }

    /// Takes on an activation of its output; false where it cannot.
    fn activate(&mut self, _name: Activation) -> bool {
        false
    }

    /// Multiplications and additions of its matrix products in a forward pass for an image.
    fn flop(&self) -> u64 {
        0
    }

    /// Bytes for each image that a training step keeps of it: what it computes, forward and
    /// backward.
    fn bytes(&self) -> u64;

    /// Records y = f(x) and returns y.
    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value;

    /// From dy, the gradient by what y's origin is given, asks for or records the gradients of the
    /// parameters and records the gradient by what x's origin is given, which it returns; nothing for
    /// an input. `x` is what `forward` was given and `y` what it returned.
    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        values: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor>;
}

/// The layer called so, if it is none of the activations.
fn kind(name: &str) -> Option<&'static LayerKind> {
    LAYERS.iter().find(|kind| kind.name == name)
}

/// Fails unless there is a layer of that name, with such options.
fn check(spec: &LayerSpec) -> Result<(), String> {
    if spec.name.parse::<Activation>().is_ok() {
        return check_options(spec, &[], false);
    }
    let Some(LayerKind { sized, options, .. }) = kind(&spec.name) else {
        let layers: Vec<_> = LAYERS.iter().map(|kind| kind.name).collect();
        let layers = layers.join(", ");
        let activations = Activation::ALL.map(Activation::name).join(", ");
        return Err(format!(
            "there is no such layer; there are {layers}, and the activations {activations}"
        ));
    };
    check_options(spec, options, *sized)
}

fn check_options(spec: &LayerSpec, options: &[&str], sized: bool) -> Result<(), String> {
    if !sized && spec.size.is_some() {
        return Err(format!("takes no size: write \"{}\"", spec.name));
    }
    let known = |name: &str| options.contains(&name);
    match spec.options.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) if options.is_empty() => Err(format!("takes no option `{name}`")),
        Some((name, _)) => Err(format!("takes no option `{name}`, only {}", options.join(", "))),
        None => Ok(()),
    }
}

/// Values that a weight may have: products of two such numbers stay within 64 bits.
const LARGEST_WEIGHT: usize = 1 << 30;

/// Fails on a weight of more values than any adapter holds.
fn check_weight(sizes: &[usize]) -> Result<(), String> {
    let product = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match product.is_some_and(|product| product <= LARGEST_WEIGHT) {
        true => Ok(()),
        false => {
            let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
            Err(format!(
                "wants a weight of {} values, more than any adapter holds",
                sizes.join("x")
            ))
        }
    }
}

/// Takes `name` on as the activation of a layer that has none yet.
fn take(activation: &mut Option<Activation>, name: Activation) -> bool {
    let free = activation.is_none();
    activation.get_or_insert(name);
    free
}

/// The size of an input that must be features.
fn features(input: Shape) -> Result<usize, String> {
    match input {
        Shape::Features(count) => Ok(count),
        Shape::Map { .. } => Err("takes features; put \"flatten\" before it".into()),
    }
}

/// The sizes of an input that must be maps.
fn map(input: Shape) -> Result<(usize, Extent), String> {
    match input {
        Shape::Map { channels, extent } => Ok((channels, extent)),
        Shape::Features(_) => {
            let message = "takes maps; put { reshape = [channels, height, width] } before it";
            Err(message.into())
        }
    }
}
