//! Layer normalization (Ba et al. 2016), as PyTorch's `LayerNorm` over all values of an image.

use super::activation::{self, Origin};
use super::moments::{Cut, Normalized};
use super::{Extent, shader};
use crate::gpu::{Gpu, Plan, Shader, Tensor, padded};

/// `shaders/layer_norm.wgsl`.
pub const SHADER: Shader = shader!("layer_norm", "index", "math", "activation", "moments");

/// Quads of parameters that a workgroup of their gradients takes: what a GPU reads at once.
const ACROSS: usize = 8;

/// pre = (x − mean) / √(variance + 1e-5) · weight + bias with the mean and the biased variance of all
/// of an image's values, and y = activation(pre). x is maps (batch · height · width, channels), and
/// weight and bias are laid out as the map of one image; features are maps of 1 × 1. Returns what the
/// ways back need, whose row for each image begins with its mean and 1 / √(variance + 1e-5).
pub fn forward(
    plan: &mut Plan,
    label: &str,
    extent: Extent,
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    activation: Option<&str>,
    [pre, y]: [&Tensor; 2],
) -> Tensor {
    let call = Call::new(plan.gpu(), label, extent, [x, pre, y]);
    call.assert_all(label, x, &[weight, bias]);
    let moments = plan.matrix(&[call.batch, 4 + 4 * call.cut.chunks]);
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
    ];
    call.record(plan, label, "forward", activation, &tensors);
    moments
}

/// dx from dy, the gradient by `pre` of [`forward`], times the slope of the activation that x came out
/// of.
pub fn backward_input(
    plan: &mut Plan,
    label: &str,
    extent: Extent,
    dy: &Tensor,
    Normalized { x, weight, moments }: Normalized,
    origin: &Origin,
    dx: &Tensor,
) {
    let call = Call::new(plan.gpu(), label, extent, [x, dy, dx]);
    assert_eq!(origin.pre.stride(), x.stride(), "{label}: layouts differ");
    call.assert_all(label, x, &[weight]);
    call.assert_moments(label, moments);
    let tensors = [("x", x), ("weight", weight), ("moments", moments), ("dy", dy)];
    if call.cut.chunks > 1 {
        call.record(plan, label, "backward_sums", None, &tensors);
    }
    let pre = activation::argument(plan, Some(origin));
    let tensors = [&tensors[..], &[("pre", &pre), ("dx", dx)]].concat();
    call.record(plan, label, "backward_input", origin.name, &tensors);
}

/// Fills dweight and dbias, laid out as weight and bias, from dy as in [`backward_input`].
pub fn backward_weight(
    plan: &mut Plan,
    label: &str,
    extent: Extent,
    dy: &Tensor,
    Normalized { x, moments, .. }: Normalized,
    [dweight, dbias]: [&Tensor; 2],
) {
    let mut call = Call::new(plan.gpu(), label, extent, [x, dy, dy]);
    call.assert_all(label, x, &[dweight, dbias]);
    call.assert_moments(label, moments);
    let quads = extent.height * extent.width * x.stride() / 4;
    let across = quads.next_power_of_two().min(ACROSS);
    call.params[4] = across as u32;
    call.groups = quads.div_ceil(across);
    let tensors =
        [("x", x), ("moments", moments), ("dy", dy), ("dweight", dweight), ("dbias", dbias)];
    call.record(plan, label, "backward_weight", None, &tensors);
}

/// The kernels of a layer, which are all cut alike but the parameters' gradients.
struct Call {
    batch: usize,
    cut: Cut,
    groups: usize,
    params: [u32; 8],
}

impl Call {
    fn new(gpu: &Gpu, label: &str, extent: Extent, tensors: [&Tensor; 3]) -> Self {
        let [x, ..] = tensors;
        assert!(x.stride().is_multiple_of(4), "{label}: matrices must be padded");
        for tensor in tensors {
            assert_eq!(
                [tensor.rows(), tensor.stride()],
                [x.rows(), x.stride()],
                "{label}: layouts differ"
            );
        }
        let rows = extent.height * extent.width;
        let batch = x.rows() / rows;
        assert_eq!(batch * rows, x.rows(), "{label}: not whole images");
        let quads = x.stride() / 4;
        let cut = Cut::new(gpu, rows, quads.next_power_of_two(), batch);
        let params = [batch, rows, x.columns(), quads, cut.across, cut.chunks, cut.chunk_rows, 0];
        Self { batch, cut, groups: batch * cut.chunks, params: params.map(|n| n as u32) }
    }

    fn assert_all(&self, label: &str, x: &Tensor, tensors: &[&Tensor]) {
        for tensor in tensors {
            let image = x.extent() / self.batch;
            assert_eq!(padded(tensor.extent()), image, "{label}: one value for each of an image's");
        }
    }

    fn assert_moments(&self, label: &str, moments: &Tensor) {
        let shape = [self.batch, 4 + 4 * self.cut.chunks];
        assert_eq!(moments.shape(), shape, "{label}: another forward's moments");
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
