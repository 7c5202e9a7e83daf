//! The products by their wrappers.

use std::sync::Arc;

use vae_gpu::gpu::{Choices, Gpu, Plan, Tensor, padded};
use vae_gpu::ops::conv;

use super::Layer;
use crate::check::{self, Guarded};
use crate::matmul::oracle::{slope, value};

/// As in tests/ops/matmul: of a product alone, and behind an activation.
pub const PRODUCT: f64 = 3e-6;
const ACTIVATED: f64 = 1e-5;

/// An empty plan in which `form` of each layer takes the variant `words`.
pub fn plan(gpu: &Gpu, form: &str, layers: &[Layer], words: Option<&str>) -> Plan {
    let mut choices = Choices::new(gpu.report());
    for layer in layers {
        let [small, large] = layer.channels();
        let problem = layer.geometry().unwrap().problem(form, small, large);
        words.into_iter().for_each(|words| choices.set(problem.clone(), words.into()));
    }
    Plan::with_choices(gpu, &Arc::new(choices))
}

impl Layer {
    /// Of the smaller map and of the larger.
    pub fn channels(&self) -> [usize; 2] {
        let [inputs, outputs] = [self.input[0], self.outputs];
        if self.transposed { [inputs, outputs] } else { [outputs, inputs] }
    }

    /// Shape of the weight on the adapter.
    pub fn weight_shape(&self) -> [usize; 2] {
        let [small, large] = self.channels();
        [small, self.kernel * self.kernel * padded(large)]
    }

    /// Where element number `at` of the weight as PyTorch has it lies on the adapter.
    pub fn weight_place(&self, at: usize) -> usize {
        let taps = self.kernel * self.kernel;
        let large = self.channels()[1];
        let (row, channel, tap) = (at / taps / large, at / taps % large, at % taps);
        (row * taps + tap) * padded(large) + channel
    }

    fn weight(&self, gpu: &Gpu, values: &[f32]) -> Tensor {
        let shape = self.weight_shape();
        let mut padded = vec![0.0; shape[0] * shape[1]];
        values.iter().enumerate().for_each(|(i, &value)| padded[self.weight_place(i)] = value);
        check::input(gpu, &shape, &padded)
    }

    /// Random, so that sums are about as large as their terms.
    fn random_weight(&self) -> Vec<f32> {
        let terms = self.weight_len() / self.channels()[0].min(self.channels()[1]);
        let range = (3.0 / terms as f32).sqrt();
        check::random(2, self.weight_len(), -range..range)
    }
}

pub fn forward(gpu: &Gpu, layer: &Layer, words: Option<&str>) {
    let ([x_rows, y_rows], inputs) = (layer.rows(), layer.input[0]);
    let x = check::random(1, x_rows * inputs, -1.0..1.0);
    let (weight, bias) = (layer.random_weight(), check::random(3, layer.outputs, -1.0..1.0));
    let tensors = [
        check::input(gpu, &[x_rows, inputs], &x),
        layer.weight(gpu, &weight),
        check::input(gpu, &[layer.outputs], &bias),
    ];
    let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &[y_rows, layer.outputs]));
    let forms = ["conv.forward", "conv_transpose.forward"];
    let form = forms[usize::from(layer.transposed)];
    let mut plan = plan(gpu, form, &[*layer], words);
    let record = if layer.transposed { conv::transposed_forward } else { conv::forward };
    let [on_x, on_weight, on_bias] = &tensors;
    let (geometry, activation) = (layer.geometry().unwrap(), Some("silu"));
    record(
        &mut plan,
        "test",
        &geometry,
        on_x,
        on_weight,
        on_bias,
        activation,
        &pre.tensor,
        &y.tensor,
    );
    assert!(plan.labels().all(|label| label == format!("test.{form}")));
    plan.run();
    let [x, weight, bias] = [x, weight, bias].map(|values| check::wide(&values));
    let want = layer.forward(&x, &weight, &bias);
    let what = format!("{layer:?}, {words:?}");
    check::assert_norm(&format!("pre of {what}"), &pre.floats(gpu), &want, PRODUCT);
    let want: Vec<_> = want.into_iter().map(|pre| value("silu", pre)).collect();
    check::assert_norm(&format!("y of {what}"), &y.floats(gpu), &want, ACTIVATED);
}

pub fn backward_input(gpu: &Gpu, layer: &Layer, words: Option<&str>) {
    let ([x_rows, y_rows], inputs) = (layer.rows(), layer.input[0]);
    let dy = check::random(1, y_rows * layer.outputs, -1.0..1.0);
    let (weight, pre) = (layer.random_weight(), check::random(3, x_rows * inputs, -4.0..4.0));
    let tensors = [
        check::input(gpu, &[y_rows, layer.outputs], &dy),
        layer.weight(gpu, &weight),
        check::input(gpu, &[x_rows, inputs], &pre),
    ];
    let dx = Guarded::new(gpu, &[x_rows, inputs]);
    let forms = ["conv.backward_input", "conv_transpose.backward_input"];
    let form = forms[usize::from(layer.transposed)];
    let mut plan = plan(gpu, form, &[*layer], words);
    let record =
        if layer.transposed { conv::transposed_backward_input } else { conv::backward_input };
    let [on_dy, on_weight, on_pre] = &tensors;
    let (geometry, activation) = (layer.geometry().unwrap(), Some("silu"));
    record(&mut plan, "test", &geometry, on_dy, on_weight, activation, on_pre, &dx.tensor);
    assert!(plan.labels().all(|label| label == format!("test.{form}")));
    plan.run();
    let [dy, weight, pre] = [dy, weight, pre].map(|values| check::wide(&values));
    let want = layer.backward_input(&dy, &weight);
    let want: Vec<_> = want.iter().zip(pre).map(|(dx, pre)| dx * slope("silu", pre)).collect();
    check::assert_norm(&format!("dx of {layer:?}, {words:?}"), &dx.floats(gpu), &want, ACTIVATED);
}
