//! PyTorch's layers and gradients: see tests/golden/README.md.

use std::collections::BTreeMap;

use vae_gpu::gpu::Gpu;

use super::run::{self, PRODUCT};
use super::{Layer, weights};
use crate::common::golden::File;
use crate::{check, maps};

/// A layer, and what belongs to it by name.
struct Golden {
    layer: Layer,
    values: BTreeMap<&'static str, Vec<f64>>,
}

const NAMES: [&str; 8] = ["x", "weight", "bias", "y", "dy", "dx", "dweight", "dbias"];

impl Golden {
    /// To the last digits of an f64.
    fn assert_oracle(&self) {
        let Self { layer, values } = self;
        let close = |what: &str, got: &[f64]| {
            maps::assert_close(&format!("{what} of {layer:?}"), got, &values[what]);
        };
        let [x, weight, bias, dy] = ["x", "weight", "bias", "dy"].map(|name| &values[name]);
        close("y", &layer.forward(x, weight, bias));
        close("dx", &layer.backward_input(dy, weight));
        let [dweight, dbias] = layer.backward_weight(dy, x);
        close("dweight", &dweight);
        close("dbias", &dbias);
    }

    fn assert_kernels(&self, gpu: &Gpu) {
        let Self { layer, values } = self;
        let close = |what: &str, got: &[f32], want: &[f64]| {
            check::assert_norm(&format!("{what} of {layer:?}"), got, want, PRODUCT);
        };
        let [x, weight, bias, dy] = ["x", "weight", "bias", "dy"]
            .map(|name| values[name].iter().map(|&value| value as f32).collect::<Vec<_>>());
        let [_, y] = run::forward_of(gpu, layer, None, None, [&x, &weight, &bias]);
        close("y", &y, &values["y"]);
        let dx = run::backward_input_of(gpu, layer, None, None, [&dy, &weight, &x]);
        close("dx", &dx, &values["dx"]);
        let stored = weights::stored(gpu, &[*layer], None, &[[dy, x]]);
        close("dweight", &stored[0], &layer.laid_out(&values["dweight"]));
        close("dbias", &stored[1], &values["dbias"]);
    }
}

#[test]
fn layers_and_gradients_are_those_of_pytorch() {
    let file = File::read("convolutions.safetensors");
    // Beside the arguments.
    let cases = file.names().len() / (1 + NAMES.len());
    assert_eq!(cases, 12);
    for case in 0..cases {
        let numbers = file.integers(&format!("{case}.arguments"));
        let (&[transposed, batch, i, height, width, outputs], pairs) =
            numbers.split_first_chunk().unwrap();
        let pairs: &[[usize; 2]] = pairs.as_chunks().0;
        let arguments = (batch, [i, height, width], outputs, pairs.try_into().unwrap());
        let layer = super::layer(transposed == 1, &arguments).unwrap();
        let value = |name| (name, file.floats(&format!("{case}.{name}")));
        let golden = Golden { layer, values: NAMES.map(value).into() };
        golden.assert_oracle();
        let Some(gpu) = check::gpu() else { continue };
        golden.assert_kernels(gpu);
    }
}
