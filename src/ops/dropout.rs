//! Dropout (Srivastava et al. 2014). As in PyTorch, kept elements are scaled in training, so that
//! evaluation is the identity.

use serde::Serialize;

use super::activation::{self, Origin};
use super::{Stream, halves, quads};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/dropout.wgsl`.
pub const SHADER: Shader = Shader::new("dropout");

/// The random choice of the elements that are dropped, which is drawn anew each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    /// Probability of an element to be dropped, in [0, 1), with a resolution of 2⁻³².
    pub probability: f64,
    /// The run's seed.
    pub seed: u64,
    /// The layer's number: layers of different numbers draw independent masks under one seed.
    pub layer: u32,
}

#[derive(Serialize)]
struct Params {
    count: usize,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    layer: u32,
    threshold: u32,
    scale: f64,
}

impl Mask {
    fn params(&self, count: usize) -> Params {
        let Self { probability, seed, layer } = *self;
        assert!((0.0..1.0).contains(&probability), "a probability of {probability}");
        let [seed_low, seed_high] = halves(seed);
        Params {
            count,
            seed_low,
            seed_high,
            stream: Stream::Dropout as u32,
            layer,
            threshold: (probability * 2f64.powi(32)) as u32,
            scale: 1.0 / (1.0 - probability),
        }
    }
}

/// y (rows, columns) = x / (1 − probability) where x is kept, and zero elsewhere. The mask is a
/// pure function of `mask`, the step in `state` and the element's row and column.
pub fn forward(
    recording: &mut Recording,
    label: &str,
    mask: &Mask,
    state: &Tensor,
    x: &Tensor,
    y: &Tensor,
) {
    let kernel = SHADER.kernel("forward", &[activation::constant(None)]);
    let count = quads(label, &[x, y]);
    let tensors = [("state", state), ("x", x), ("y", y)];
    recording.record_elements(kernel, label, &mask.params(count), &tensors, count);
}

/// dx (rows, columns) from dy under the mask of [`forward`], multiplied by the derivative of
/// `origin`'s activation, whose output x is.
pub fn backward(
    recording: &mut Recording,
    label: &str,
    mask: &Mask,
    state: &Tensor,
    dy: &Tensor,
    origin: &Origin,
    dx: &Tensor,
) {
    let Origin { activation, pre } = origin;
    origin.assert_like(label, dx);
    let kernel = SHADER.kernel("backward", &[activation::constant(*activation)]);
    let count = quads(label, &[dy, dx]);
    let tensors = [("state", state), ("dy", dy), ("pre", pre), ("dx", dx)];
    recording.record_elements(kernel, label, &mask.params(count), &tensors, count);
}
