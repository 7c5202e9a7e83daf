//! Layer normalization (Ba et al. 2016), as PyTorch's `LayerNorm` over all values of an image.

use super::activation::{self, Activation, Origin};
use super::moments::{Call, Normalized};
use super::{Extent, quads};
use crate::gpu::{AdapterReport, Recording, Shader, Tensor, padded};

/// `shaders/layer_norm.wgsl`.
pub const SHADER: Shader = Shader::new("layer_norm");

/// Quads of parameters in a workgroup that computes their gradients: 128 bytes, which a GPU reads
/// at once.
const ACROSS: usize = 8;

/// pre = (x − mean) / √(variance + 1e-5) · weight + bias with the mean and the biased variance of
/// all of an image's values, and y = activation(pre). x is maps (batch · height · width, channels),
/// and weight and bias have the layout of one image's map; features are maps of 1 × 1. Returns the
/// moments that the backward passes need: each image's row begins with its mean and 1 / √(variance
/// + 1e-5).
pub fn forward(
    recording: &mut Recording,
    label: &str,
    extent: Extent,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    activation: Option<Activation>,
    [pre, y]: [&Tensor; 2],
) -> Tensor {
    let call = call(recording.adapter(), label, extent, &[x, pre, y]);
    assert_all(label, extent, x, &[weight, bias]);
    let moments = recording.matrix(&moments_shape(&call));
    if call.params.chunks > 1 {
        call.record(
            recording,
            label,
            (&SHADER, "statistics"),
            None,
            &[("x", x), ("moments", &moments)],
        );
    }
    let tensors = [
        ("x", x),
        ("weight", weight),
        ("bias", bias),
        ("moments", &moments),
        ("pre", pre),
        ("y", y),
    ];
    call.record(recording, label, (&SHADER, "forward"), activation, &tensors);
    moments
}

/// dx from dy, the gradient with respect to `pre` of [`forward`], multiplied by the derivative of
/// `origin`'s activation, whose output x is.
pub fn backward_input(
    recording: &mut Recording,
    label: &str,
    extent: Extent,
    dy: &Tensor,
    Normalized { x, weight, moments }: Normalized,
    origin: &Origin,
    dx: &Tensor,
) {
    let call = call(recording.adapter(), label, extent, &[x, dy, dx]);
    origin.assert_like(label, dx);
    assert_all(label, extent, x, &[weight]);
    assert_eq!(moments.shape(), moments_shape(&call), "{label}: another forward's moments");
    let tensors = [("x", x), ("weight", weight), ("moments", moments), ("dy", dy)];
    if call.params.chunks > 1 {
        call.record(recording, label, (&SHADER, "backward_sums"), None, &tensors);
    }
    let pre = activation::argument(recording, Some(origin));
    let tensors = [&tensors[..], &[("pre", &pre), ("dx", dx)]].concat();
    call.record(recording, label, (&SHADER, "backward_input"), origin.activation, &tensors);
}

/// Fills dweight and dbias, of the layouts of weight and bias, from dy of [`backward_input`].
pub fn backward_weight(
    recording: &mut Recording,
    label: &str,
    extent: Extent,
    dy: &Tensor,
    Normalized { x, moments, .. }: Normalized,
    [dweight, dbias]: [&Tensor; 2],
) {
    let mut call = call(recording.adapter(), label, extent, &[x, dy]);
    assert_all(label, extent, x, &[dweight, dbias]);
    assert_eq!(moments.shape(), moments_shape(&call), "{label}: another forward's moments");
    let quads = extent.height * extent.width * x.stride() / 4;
    let across = quads.next_power_of_two().min(ACROSS);
    call.params.across = across;
    call.groups = quads.div_ceil(across);
    let tensors =
        [("x", x), ("moments", moments), ("dy", dy), ("dweight", dweight), ("dbias", dbias)];
    call.record(recording, label, (&SHADER, "backward_weight"), None, &tensors);
}

/// The kernels' parameters for `tensors`; panics unless they are maps of one layout.
fn call(adapter: &AdapterReport, label: &str, extent: Extent, tensors: &[&Tensor]) -> Call {
    quads(label, tensors);
    let (x, rows) = (tensors[0], extent.height * extent.width);
    let batch = x.rows() / rows;
    assert_eq!(batch * rows, x.rows(), "{label}: not whole images");
    Call::new(adapter, x, rows, (x.stride() / 4).next_power_of_two(), batch)
}

fn assert_all(label: &str, extent: Extent, x: &Tensor, tensors: &[&Tensor]) {
    for tensor in tensors {
        let image = extent.height * extent.width * x.stride();
        assert_eq!(padded(tensor.extent()), image, "{label}: one value for each of an image's");
    }
}

fn moments_shape(call: &Call) -> [usize; 2] {
    [call.params.units, 4 + 4 * call.params.chunks]
}
