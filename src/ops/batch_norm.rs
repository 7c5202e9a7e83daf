//! Batch normalization (Ioffe and Szegedy 2015), as PyTorch's `BatchNorm1d` and `BatchNorm2d`.

use super::activation::{self, Origin};
use super::moments::{Cut, Normalized};
use super::shader;
use crate::gpu::{Gpu, Plan, Shader, Tensor};

/// `shaders/batch_norm.wgsl`.
pub const SHADER: Shader = shader!("batch_norm", "index", "math", "activation", "moments");

/// Quads of columns that a workgroup takes: what a GPU reads at once.
const ACROSS: usize = 8;

/// pre (rows, columns) = (x − mean) / √(variance + 1e-5) · weight + bias with the mean and the biased
/// variance of every column of x, and y = activation(pre); weight and bias are of (columns), rows
/// all positions of all images. The running mean and variance (columns) take a tenth of the batch's,
/// of its unbiased variance; of a single row that has none, and the running one is left as it is.
/// Returns what [`backward`] needs, whose rows 0 and 1 are the means and 1 / √(variance + 1e-5).
pub fn forward(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    [running_mean, running_var]: [&Tensor; 2],
    activation: Option<&str>,
    [pre, y]: [&Tensor; 2],
) -> Tensor {
    let call = Call::new(plan.gpu(), label, [x, pre, y]);
    assert_all(label, x, &[weight, bias, running_mean, running_var]);
    let moments = plan.matrix(&[2 + 2 * call.cut.chunks, x.columns()]);
    if call.cut.chunks > 1 {
        call.record(plan, label, "statistics", None, &[("x", x), ("moments", &moments)]);
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
    call.record(plan, label, "forward", activation, &tensors);
    moments
}

/// As [`forward`], but by the running mean and variance.
pub fn evaluate(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    [running_mean, running_var]: [&Tensor; 2],
    activation: Option<&str>,
    [pre, y]: [&Tensor; 2],
) {
    let call = Call::new(plan.gpu(), label, [x, pre, y]);
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
    call.record(plan, label, "evaluate", activation, &tensors);
}

/// dx from dy, the gradient by `pre` of [`forward`], times the slope of the activation that x came out
/// of. Fills dweight and dbias (columns).
pub fn backward(
    plan: &mut Plan,
    label: &str,
    dy: &Tensor,
    Normalized { x, weight, moments }: Normalized,
    origin: &Origin,
    [dweight, dbias]: [&Tensor; 2],
    dx: &Tensor,
) {
    let call = Call::new(plan.gpu(), label, [x, dy, dx]);
    assert_eq!(moments.rows(), 2 + 2 * call.cut.chunks, "{label}: another forward's moments");
    assert_eq!(origin.pre.stride(), x.stride(), "{label}: layouts differ");
    assert_all(label, x, &[weight, dweight, dbias]);
    if call.cut.chunks > 1 {
        let tensors = [("x", x), ("moments", moments), ("dy", dy)];
        call.record(plan, label, "backward_sums", None, &tensors);
    }
    let tensors = [
        ("x", x),
        ("weight", weight),
        ("moments", moments),
        ("pre", &activation::argument(plan, Some(origin))),
        ("dy", dy),
        ("dx", dx),
        ("dweight", dweight),
        ("dbias", dbias),
    ];
    call.record(plan, label, "backward", origin.name, &tensors);
}

fn assert_all(label: &str, x: &Tensor, tensors: &[&Tensor]) {
    for tensor in tensors {
        assert_eq!(tensor.len(), x.columns(), "{label}: one value for each column");
    }
}

/// The kernels of a layer, which are all cut alike.
struct Call {
    cut: Cut,
    /// Columns' blocks times chunks.
    groups: usize,
    params: [u32; 8],
}

impl Call {
    fn new(gpu: &Gpu, label: &str, tensors: [&Tensor; 3]) -> Self {
        let [x, ..] = tensors;
        assert!(x.stride().is_multiple_of(4), "{label}: matrices must be padded");
        for tensor in tensors {
            assert_eq!(
                [tensor.rows(), tensor.stride()],
                [x.rows(), x.stride()],
                "{label}: layouts differ"
            );
        }
        let quads = x.stride() / 4;
        let across = quads.next_power_of_two().min(ACROSS);
        let blocks = quads.div_ceil(across);
        let cut = Cut::new(gpu, x.rows(), across, blocks);
        let params = [x.rows(), x.columns(), quads, cut.across, cut.chunks, cut.chunk_rows, 0, 0];
        Self { cut, groups: blocks * cut.chunks, params: params.map(|n| n as u32) }
    }

    fn record(
        &self,
        plan: &mut Plan,
        label: &str,
        entry: &str,
        activation: Option<&str>,
        tensors: &[(&str, &Tensor)],
    ) {
        let kernel = plan.gpu().kernel(&SHADER, entry, &self.cut.constants(activation));
        plan.record_flat(kernel, label, &self.params, tensors, self.groups);
    }
}
