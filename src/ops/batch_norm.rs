//! Batch normalization (Ioffe and Szegedy 2015), as PyTorch's `BatchNorm1d` and `BatchNorm2d`.

use super::activation::{self, Activation, Origin};
use super::moments::{Call, Normalized};
use super::quads;
use crate::gpu::{AdapterReport, Recording, Shader, Tensor};

/// `shaders/batch_norm.wgsl`.
pub const SHADER: Shader = Shader::new("batch_norm");

/// Quads of columns in a workgroup: 128 bytes, which a GPU reads at once.
const ACROSS: usize = 8;

/// pre (rows, columns) = (x − mean) / √(variance + 1e-5) · weight + bias with the mean and the
/// biased variance of every column of x, and y = activation(pre). weight and bias are (columns);
/// rows are all pixels of all images. The running mean and variance (columns) move a tenth of the
/// way to the batch's mean and unbiased variance; a batch of one row has no such variance, and
/// leaves the running one. Returns the moments that [`backward`] needs: rows 0 and 1 are the means
/// and 1 / √(variance + 1e-5).
pub fn forward(
    recording: &mut Recording,
    label: &str,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    [running_mean, running_var]: [&Tensor; 2],
    activation: Option<Activation>,
    [pre, y]: [&Tensor; 2],
) -> Tensor {
    let call = call(recording.adapter(), label, &[x, pre, y]);
    assert_all(label, x, &[weight, bias, running_mean, running_var]);
    let moments = recording.matrix(&[2 + 2 * call.params.chunks, x.columns()]);
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
        ("running_mean", running_mean),
        ("running_var", running_var),
    ];
    call.record(recording, label, (&SHADER, "forward"), activation, &tensors);
    moments
}

/// pre and y as computed by [`forward`], but from the running mean and variance, which stay.
pub fn evaluate(
    recording: &mut Recording,
    label: &str,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    [running_mean, running_var]: [&Tensor; 2],
    activation: Option<Activation>,
    [pre, y]: [&Tensor; 2],
) {
    let call = call(recording.adapter(), label, &[x, pre, y]);
    assert_all(label, x, &[weight, bias, running_mean, running_var]);
    let tensors = [
        ("x", x),
        ("weight", weight),
        ("bias", bias),
        ("kept_mean", running_mean),
        ("kept_var", running_var),
        ("pre", pre),
        ("y", y),
    ];
    call.record(recording, label, (&SHADER, "evaluate"), activation, &tensors);
}

/// dx from dy, the gradient with respect to `pre` of [`forward`], multiplied by the derivative of
/// `origin`'s activation, whose output x is. Fills dweight and dbias (columns).
pub fn backward(
    recording: &mut Recording,
    label: &str,
    dy: &Tensor,
    Normalized { x, weight, moments }: Normalized,
    origin: &Origin,
    [dweight, dbias]: [&Tensor; 2],
    dx: &Tensor,
) {
    let call = call(recording.adapter(), label, &[x, dy, dx]);
    origin.assert_like(label, dx);
    assert_eq!(moments.rows(), 2 + 2 * call.params.chunks, "{label}: another forward's moments");
    assert_all(label, x, &[weight, dweight, dbias]);
    if call.params.chunks > 1 {
        let tensors = [("x", x), ("moments", moments), ("dy", dy)];
        call.record(recording, label, (&SHADER, "backward_sums"), None, &tensors);
    }
    let tensors = [
        ("x", x),
        ("weight", weight),
        ("moments", moments),
        ("pre", &activation::argument(recording, Some(origin))),
        ("dy", dy),
        ("dx", dx),
        ("dweight", dweight),
        ("dbias", dbias),
    ];
    call.record(recording, label, (&SHADER, "backward"), origin.activation, &tensors);
}

fn assert_all(label: &str, x: &Tensor, tensors: &[&Tensor]) {
    for tensor in tensors {
        assert_eq!(tensor.len(), x.columns(), "{label}: one value for each column");
    }
}

/// The kernels' parameters for `tensors`; panics unless they are matrices of one layout.
fn call(adapter: &AdapterReport, label: &str, tensors: &[&Tensor]) -> Call {
    quads(label, tensors);
    let x = tensors[0];
    let quads = x.stride() / 4;
    let across = quads.next_power_of_two().min(ACROSS);
    Call::new(adapter, x, x.rows(), across, quads.div_ceil(across))
}
