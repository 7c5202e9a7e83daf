//! Layers with hand-written backward passes, the graph that they are recorded into, and parameters.
//!
//! [`Modules`] puts chains of layers together, from lists in TOML or layer by layer. A layer of one's own
//! implements [`Layer`]; where a formula says all of it, the graph derives the backward pass:
//!
//! ```
//! use vae_gpu::nn::{Argument, Chain, Graph, Layer, Linear, Modules, ParameterSpec, Shape, ValueId};
//! use vae_gpu::ops::density::PRODUCT;
//!
//! /// y = x · s, with one trained number s.
//! struct Scale(Shape);
//!
//! impl Layer for Scale {
//!     fn output(&self) -> Shape {
//!         self.0
//!     }
//!
//!     fn input(&self) -> Option<Shape> {
//!         Some(self.0)
//!     }
//!
//!     fn parameters(&self) -> Vec<ParameterSpec> {
//!         vec![ParameterSpec::constant("factor", &[1], 1.0)]
//!     }
//!
//!     fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
//!         let [factor] = graph.parameters(label, ["factor"]);
//!         graph.map(label, &PRODUCT, &[], &[inputs[0].into(), Argument::Parameter(factor)])
//!     }
//! }
//!
//! # fn main() -> vae_gpu::Result<()> {
//! # let Ok(gpu) = vae_gpu::Gpu::new() else { return Ok(()) };
//! let mut chain = Chain::empty(Shape::Features(3));
//! chain.push("first", Linear { inputs: 3, outputs: 2, activation: None })?;
//! chain.push("second", Scale(Shape::Features(2)))?;
//! let mut modules = Modules::new(Shape::Features(3));
//! modules.add(&chain);
//! let weights = modules.weights(&gpu, 1);
//! weights.parameters.write(&gpu, &[&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0][..], &[0.0, 0.5], &[2.0]]);
//! let y = chain.run(&gpu, &weights, &[1.0, 2.0, 3.0])?;
//! assert_eq!(y, [2.0, 5.0]);
//! # Ok(())
//! # }
//! ```

mod activation;
mod add;
mod backward;
mod batch_norm;
mod chain;
mod concat;
mod conv;
mod dropout;
mod flatten;
mod formula;
mod graph;
mod layer_norm;
mod linear;
mod log_mean_exp;
mod modules;
mod parameters;
mod pixel_shuffle;
mod pool;
mod repeat;
mod reshape;
mod run;
mod shape;
mod spec;
mod updates;
mod upsample;

pub use backward::{Backward, Sweep, Train};
pub use chain::{Chain, Link};
pub use formula::Argument;
pub use graph::{Draws, Graph, Output, ValueId};
pub use linear::Linear;
pub use modules::Modules;
pub use parameters::{Layout, ParameterSpec, Parameters, Weights};
pub use run::run;
pub use shape::Shape;
pub use spec::{LayerSpec, Setting};
pub use updates::{OptimizerStep, Sink};

use crate::ops::Extent;
use crate::ops::activation::Activation;
use crate::ops::matmul::Problem;
use crate::words::did_you_mean;

/// A layer as configurations name it.
struct LayerKind {
    name: &'static str,
    /// Whether something stands behind the name: a size, a probability, layers.
    sized: bool,
    options: &'static [&'static str],
    /// Makes it of its specification, for inputs of a shape and for a model of images of a shape, or
    /// says what it wants; nothing for a block of layers, which the chain puts together.
    build: Option<BuildLayer>,
}

type BuildLayer = fn(&LayerSpec, Shape, Shape) -> Result<Box<dyn Layer>, String>;

const WINDOW: &[&str] = &["stride", "padding"];
const CONVOLUTION: &[&str] = &["kernel", "stride", "padding"];
const TRANSPOSED: &[&str] = &["kernel", "stride", "padding", "output_padding"];

/// Every layer but the activations.
#[rustfmt::skip]
const LAYERS: &[LayerKind] = &[
    LayerKind { name: "linear", sized: true, options: &[], build: Some(linear::build) },
    LayerKind { name: "conv2d", sized: true, options: CONVOLUTION, build: Some(conv::conv2d) },
    LayerKind { name: "conv_transpose2d", sized: true, options: TRANSPOSED, build: Some(conv::conv_transpose2d) },
    LayerKind { name: "max_pool2d", sized: true, options: WINDOW, build: Some(pool::max) },
    LayerKind { name: "avg_pool2d", sized: true, options: WINDOW, build: Some(pool::avg) },
    LayerKind { name: "upsample", sized: true, options: &[], build: Some(upsample::build) },
    LayerKind { name: "pixel_shuffle", sized: true, options: &[], build: Some(pixel_shuffle::build) },
    LayerKind { name: "flatten", sized: false, options: &[], build: Some(flatten::build) },
    LayerKind { name: "reshape", sized: true, options: &[], build: Some(reshape::build) },
    LayerKind { name: "batch_norm", sized: false, options: &[], build: Some(batch_norm::build) },
    LayerKind { name: "layer_norm", sized: false, options: &[], build: Some(layer_norm::build) },
    LayerKind { name: "dropout", sized: true, options: &[], build: Some(dropout::build) },
    LayerKind { name: "residual", sized: true, options: &[], build: None },
];

/// A differentiable step of a chain.
pub trait Layer: Send + Sync {
    /// Shape of y for each image.
    fn output(&self) -> Shape;

    /// Shape of what it must be given; nothing where it takes whatever it was built for.
    fn input(&self) -> Option<Shape> {
        None
    }

    /// The parameters that it trains. Their names follow the layer's own: `weight` becomes
    /// `encoder.0.weight`.
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// The values that it keeps beside them from step to step, which no gradient changes: PyTorch's
    /// buffers.
    fn statistics(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// The matrix products of a training step, to be tuned.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Takes on an activation of its output; false where it cannot.
    fn activate(&mut self, _activation: Activation) -> bool {
        false
    }

    /// Multiplications and additions of its matrix products in a forward pass for an image.
    fn flop(&self) -> u64 {
        0
    }

    /// Records y = f(inputs) and, by [`Graph::push`], its backward pass: from dy, the gradient by the
    /// pre-activation of y, the gradients of the parameters and those by the inputs. Nothing runs until
    /// the recording is replayed. Returns y, or an input where there is nothing to do.
    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId;
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
        let activations = Activation::ALL.map(Activation::name);
        let all = layers.iter().chain(&activations).copied();
        let meant = did_you_mean(&spec.name, all);
        let (layers, activations) = (layers.join(", "), activations.join(", "));
        return Err(format!(
            "there is no such layer; there are {layers}, and the activations {activations}{meant}"
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
        Some((name, _)) => Err(format!(
            "takes no option `{name}`, only {}{}",
            options.join(", "),
            did_you_mean(name, options.iter().copied())
        )),
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

/// Takes `activation` on for a layer that has none yet.
fn take(own: &mut Option<Activation>, activation: Activation) -> bool {
    let is_free = own.is_none();
    own.get_or_insert(activation);
    is_free
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
