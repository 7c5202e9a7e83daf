//! The products by their wrappers.

use std::sync::Arc;

use vae_gpu::gpu::{Choices, Gpu, Recording, Tensor, padded};
use vae_gpu::ops::activation::{Activation, Origin};
use vae_gpu::ops::conv;
use vae_gpu::ops::matmul::{Problem, Product};

use super::Layer;
use crate::check::{self, Guarded};
use crate::matmul::oracle::{slope, value};

/// The tolerances of tests/ops/matmul: of a product alone, and behind an activation.
pub const PRODUCT: f64 = 3e-6;
const ACTIVATED: f64 = 1e-5;

/// An empty recording in which `product` of each layer takes the variant `words`.
pub fn recording(gpu: &Gpu, product: Product, layers: &[Layer], words: Option<&str>) -> Recording {
    let mut choices = Choices::new(gpu.report());
    for layer in layers {
        let key = layer.problem().key(product);
        words.into_iter().for_each(|words| choices.set(key.clone(), words.into()));
    }
    Recording::with_choices(gpu.report(), &Arc::new(choices))
}

impl Layer {
    fn problem(&self) -> Problem {
        let (geometry, inputs) = (self.geometry().unwrap(), self.input[0]);
        Problem::Conv { geometry, inputs, outputs: self.outputs }
    }

    /// The label of a dispatch of one of its products.
    fn label(&self, product: Product) -> String {
        let op = if self.transposed { "conv_transpose" } else { "conv" };
        format!("test.{op}.{}", product.name())
    }

    /// Of the smaller map and of the larger.
    pub fn channels(&self) -> [usize; 2] {
        let [inputs, outputs] = [self.input[0], self.outputs];
        if self.transposed { [inputs, outputs] } else { [outputs, inputs] }
    }

    /// Shape of the weight on the adapter.
    pub fn weight_shape(&self) -> [usize; 2] {
        let [small, large] = self.channels();
        [small, self.kernel.area() * padded(large)]
    }

    /// Rows of the weight's channels, which are padded, and channels in each: those of the larger map.
    pub fn tap_rows(&self) -> [usize; 2] {
        let [small, large] = self.channels();
        [small * self.kernel.area(), large]
    }

    /// A weight as PyTorch has it in the order of the adapter, row by row of [`Layer::tap_rows`].
    pub fn laid_out<T: Copy>(&self, weight: &[T]) -> Vec<T> {
        let (taps, [rows, large]) = (self.kernel.area(), self.tap_rows());
        let at = |row, channel| (row / taps * large + channel) * taps + row % taps;
        (0..rows).flat_map(|row| (0..large).map(move |c| weight[at(row, c)])).collect()
    }

    fn weight(&self, gpu: &Gpu, values: &[f32]) -> Tensor {
        let rows = check::input(gpu, &self.tap_rows(), &self.laid_out(values));
        rows.view_matrix(0, &self.weight_shape())
    }

    /// Random, so that sums are about as large as their terms.
    fn random_weight(&self) -> Vec<f32> {
        let terms = self.weight_len() / self.channels()[0].min(self.channels()[1]);
        let range = (3.0 / terms as f32).sqrt();
        check::random(2, self.weight_len(), -range..range)
    }
}

/// `pre` and y by the kernel, from x, weight and bias.
pub fn forward_of(
    gpu: &Gpu,
    layer: &Layer,
    words: Option<&str>,
    activation: Option<Activation>,
    [x, weight, bias]: [&[f32]; 3],
) -> [Vec<f32>; 2] {
    let [x_rows, y_rows] = layer.rows();
    let x = check::input(gpu, &[x_rows, layer.input[0]], x);
    let (weight, bias) = (layer.weight(gpu, weight), check::input(gpu, &[layer.outputs], bias));
    let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &[y_rows, layer.outputs]));
    let mut recording = recording(gpu, Product::Forward, &[*layer], words);
    let (geometry, [to_pre, to_y]) = (layer.geometry().unwrap(), [&pre.tensor, &y.tensor]);
    conv::forward(&mut recording, "test", &geometry, &x, &weight, &bias, activation, to_pre, to_y);
    assert!(recording.labels().all(|label| label == layer.label(Product::Forward)));
    recording.compile(gpu).run();
    [pre.floats(gpu), y.floats(gpu)]
}

pub fn forward(gpu: &Gpu, layer: &Layer, words: Option<&str>) {
    let x = check::random(1, layer.rows()[0] * layer.input[0], -1.0..1.0);
    let (weight, bias) = (layer.random_weight(), check::random(3, layer.outputs, -1.0..1.0));
    let [pre, y] = forward_of(gpu, layer, words, Some(Activation::Silu), [&x, &weight, &bias]);
    let [x, weight, bias] = [x, weight, bias].map(|values| check::wide(&values));
    let want = layer.forward(&x, &weight, &bias);
    let what = format!("{layer:?}, {words:?}");
    check::assert_norm(&format!("pre of {what}"), &pre, &want, PRODUCT);
    let want: Vec<_> = want.into_iter().map(|pre| value(Some(Activation::Silu), pre)).collect();
    check::assert_norm(&format!("y of {what}"), &y, &want, ACTIVATED);
}

/// dx by the kernel, from dy, weight and `pre`.
pub fn backward_input_of(
    gpu: &Gpu,
    layer: &Layer,
    words: Option<&str>,
    activation: Option<Activation>,
    [dy, weight, pre]: [&[f32]; 3],
) -> Vec<f32> {
    let ([x_rows, y_rows], inputs) = (layer.rows(), layer.input[0]);
    let dy = check::input(gpu, &[y_rows, layer.outputs], dy);
    let (weight, pre) = (layer.weight(gpu, weight), check::input(gpu, &[x_rows, inputs], pre));
    let dx = Guarded::new(gpu, &[x_rows, inputs]);
    let mut recording = recording(gpu, Product::BackwardInput, &[*layer], words);
    let (geometry, origin) = (layer.geometry().unwrap(), Origin { activation, pre });
    conv::backward_input(&mut recording, "test", &geometry, &dy, &weight, &origin, &dx.tensor);
    assert!(recording.labels().all(|label| label == layer.label(Product::BackwardInput)));
    recording.compile(gpu).run();
    dx.floats(gpu)
}

pub fn backward_input(gpu: &Gpu, layer: &Layer, words: Option<&str>) {
    let ([x_rows, y_rows], inputs) = (layer.rows(), layer.input[0]);
    let dy = check::random(1, y_rows * layer.outputs, -1.0..1.0);
    let (weight, pre) = (layer.random_weight(), check::random(3, x_rows * inputs, -4.0..4.0));
    let dx = backward_input_of(gpu, layer, words, Some(Activation::Silu), [&dy, &weight, &pre]);
    let [dy, weight, pre] = [dy, weight, pre].map(|values| check::wide(&values));
    let want = layer.backward_input(&dy, &weight);
    let want: Vec<_> =
        want.iter().zip(pre).map(|(dx, pre)| dx * slope(Some(Activation::Silu), pre)).collect();
    check::assert_norm(&format!("dx of {layer:?}, {words:?}"), &dx, &want, ACTIVATED);
}
