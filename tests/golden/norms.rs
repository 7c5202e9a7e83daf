//! Normalizations against PyTorch's: see README.md beside this file.

use serde::Deserialize;
use vae_gpu::Gpu;
use vae_gpu::gpu::{Recording, Tensor};
use vae_gpu::ops::activation::Origin;
use vae_gpu::ops::moments::Normalized;
use vae_gpu::ops::{Extent, batch_norm, layer_norm};

use super::{File, common};

/// The tensors of one layer.
struct Trace {
    file: File,
    layer: &'static str,
    steps: usize,
}

impl Trace {
    fn new(layer: &'static str) -> Self {
        #[derive(Deserialize)]
        struct Config {
            steps: usize,
        }
        let file = File::read("norms.safetensors");
        let Config { steps } = file.config();
        Self { file, layer, steps }
    }

    /// Shape, and values with the channels last.
    fn get(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let name = format!("{}.{name}", self.layer);
        let (shape, values) = (self.file.shape(&name), self.file.singles(&name));
        let [channels, positions] = match shape[..] {
            [.., channels, height, width] => [channels, height * width],
            _ => [1, 1],
        };
        let image = |image: &[f32]| -> Vec<f32> {
            let at = |position| (0..channels).map(move |c| c * positions + position);
            (0..positions).flat_map(at).map(|i| image[i]).collect()
        };
        let turned = values.chunks(channels * positions).flat_map(image).collect();
        (shape, turned)
    }

    /// Positions times images by channels, as they lie on the adapter; vectors stay vectors.
    fn tensor(&self, gpu: &Gpu, name: &str) -> Tensor {
        let (shape, values) = self.get(name);
        let shape = match shape[..] {
            [channels, height, width] => vec![height * width, channels],
            [batch, channels, height, width] => vec![batch * height * width, channels],
            _ => shape,
        };
        let tensor = match shape.len() {
            1 => Tensor::zeros(name, &shape),
            _ => Tensor::matrix(name, &shape),
        };
        tensor.write(gpu, &values);
        tensor
    }

    fn extent(&self) -> Extent {
        match self.get("0.x").0[..] {
            [_, _, height, width] => Extent { height, width },
            _ => Extent { height: 1, width: 1 },
        }
    }

    /// Panics unless `got` is PyTorch's to five digits of the largest.
    fn assert(&self, gpu: &Gpu, name: &str, got: &Tensor) {
        let (_, want) = self.get(name);
        let got: Vec<f32> = got.read(gpu).unwrap();
        assert_eq!(got.len(), want.len(), "{}.{name}", self.layer);
        let largest = want.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let error = (got - want).abs() / largest;
            assert!(error < 1e-5, "{}.{name}[{i}]: {got}, not {want}", self.layer);
        }
    }
}

/// Tensors like `x` and like `weight` for results.
fn results(x: &Tensor, weight: &Tensor) -> ([Tensor; 3], [Tensor; 2]) {
    let like = |tensor: &Tensor| match tensor.shape().len() {
        1 => Tensor::zeros("result", tensor.shape()),
        _ => Tensor::matrix("result", tensor.shape()),
    };
    ([(); 3].map(|()| like(x)), [(); 2].map(|()| like(weight)))
}

fn follow_batch_norm(layer: &'static str) {
    let Some(gpu) = common::gpu() else { return };
    let trace = Trace::new(layer);
    let [weight, bias] = ["weight", "bias"].map(|name| trace.tensor(&gpu, name));
    let mean = Tensor::zeros("mean", weight.shape());
    let variance = Tensor::new(&gpu, "variance", weight.shape(), &vec![1.0f32; weight.len()]);
    let (parameters, running) = ([&weight, &bias], [&mean, &variance]);
    for step in 0..trace.steps {
        let [x, dy] = ["x", "dy"].map(|name| trace.tensor(&gpu, &format!("{step}.{name}")));
        let ([pre, y, dx], [dweight, dbias]) = results(&x, &weight);
        let mut recording = Recording::new(gpu.report());
        let moments =
            batch_norm::forward(&mut recording, layer, &x, parameters, running, None, [&pre, &y]);
        let gradients = [&dweight, &dbias];
        let forward = Normalized { x: &x, weight: &weight, moments: &moments };
        let origin = Origin { activation: None, pre: x.clone() };
        batch_norm::backward(&mut recording, layer, &dy, forward, &origin, gradients, &dx);
        recording.compile(&gpu).run();
        for (name, got) in [
            ("y", &y),
            ("dx", &dx),
            ("dweight", &dweight),
            ("dbias", &dbias),
            ("running_mean", &mean),
            ("running_var", &variance),
        ] {
            trace.assert(&gpu, &format!("{step}.{name}"), got);
        }
    }
    let x = trace.tensor(&gpu, &format!("{}.x", trace.steps - 1));
    let ([pre, y, _], _) = results(&x, &weight);
    let mut recording = Recording::new(gpu.report());
    batch_norm::evaluate(&mut recording, layer, &x, parameters, running, None, [&pre, &y]);
    recording.compile(&gpu).run();
    trace.assert(&gpu, "evaluated", &y);
}

fn follow_layer_norm(layer: &'static str) {
    let Some(gpu) = common::gpu() else { return };
    let trace = Trace::new(layer);
    let extent = trace.extent();
    let [weight, bias] = ["weight", "bias"].map(|name| trace.tensor(&gpu, name));
    let parameters = [&weight, &bias];
    for step in 0..trace.steps {
        let [x, dy] = ["x", "dy"].map(|name| trace.tensor(&gpu, &format!("{step}.{name}")));
        let ([pre, y, dx], [dweight, dbias]) = results(&x, &weight);
        let mut recording = Recording::new(gpu.report());
        let moments =
            layer_norm::forward(&mut recording, layer, extent, &x, parameters, None, [&pre, &y]);
        let forward = Normalized { x: &x, weight: &weight, moments: &moments };
        let origin = Origin { activation: None, pre: x.clone() };
        layer_norm::backward_input(&mut recording, layer, extent, &dy, forward, &origin, &dx);
        let gradients = [&dweight, &dbias];
        layer_norm::backward_weight(&mut recording, layer, extent, &dy, forward, gradients);
        recording.compile(&gpu).run();
        for (name, got) in [("y", &y), ("dx", &dx), ("dweight", &dweight), ("dbias", &dbias)] {
            trace.assert(&gpu, &format!("{step}.{name}"), got);
        }
        if step == trace.steps - 1 {
            trace.assert(&gpu, "evaluated", &y);
        }
    }
}

#[test]
fn batch_norm_of_features_is_pytorchs() {
    follow_batch_norm("batch_features");
}

#[test]
fn batch_norm_of_maps_is_pytorchs() {
    follow_batch_norm("batch_maps");
}

#[test]
fn layer_norm_of_features_is_pytorchs() {
    follow_layer_norm("layer_features");
}

#[test]
fn layer_norm_of_maps_is_pytorchs() {
    follow_layer_norm("layer_maps");
}
