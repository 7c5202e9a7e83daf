//! Helpers that the cases of ops on maps share.

use serde_json::Value;
use vae_gpu::gpu::{Gpu, Recording, Shader, Tensor};
use vae_gpu::ops::activation::{Activation, Origin};

use crate::check::{self, Guarded, MARGIN};
use crate::common::golden::File;
use crate::matmul::oracle::{slope, value};

/// Out of which the x of a backward pass may come.
pub const ACTIVATIONS: [Option<Activation>; 3] =
    [None, Some(Activation::Relu), Some(Activation::Silu)];

/// Rows and columns for what takes elements one by one.
pub const SHAPES: [[usize; 2]; 9] =
    [[1, 1], [1, 4], [63, 5], [257, 3], [5, 1757], [1757, 1], [33, 64], [20, 257], [2, 1756]];

/// The origin of an x.
pub fn origin(activation: Option<Activation>, pre: &Tensor) -> Origin {
    Origin { activation, pre: pre.clone() }
}

/// f(x)
pub fn activated(activation: Option<Activation>, x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| value(activation, x)).collect()
}

/// dx · f'(pre)
pub fn times_slope(dx: Vec<f64>, activation: Option<Activation>, pre: &[f64]) -> Vec<f64> {
    let pairs = dx.iter().zip(pre);
    pairs.map(|(dx, &pre)| dx * slope(activation, pre)).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A tensor of `values` and, behind them, rows of ones: what should not be read, but would be seen if
/// it were written where poison was.
pub fn ample_input(gpu: &Gpu, [rows, columns]: [usize; 2], values: &[f32]) -> Tensor {
    let spare = vec![1.0; MARGIN * columns];
    check::input(gpu, &[rows + MARGIN, columns], &[values, &spare].concat())
}

/// Dispatches a kernel by itself, two workgroups wide, as where x can hold no more, and with some to
/// spare.
pub fn run_kernel(
    gpu: &Gpu,
    (shader, entry): (&Shader, &str),
    constants: &[(&'static str, u32)],
    params: &Value,
    tensors: &[(&str, &Tensor)],
    elements: usize,
) {
    let none = ("ACTIVATION", Activation::COUNT);
    let kernel = shader.kernel(entry, &[&[none], constants].concat());
    let rows = elements.div_ceil(2 * 64) + 1;
    assert!(rows > 2, "{entry}: too small to wrap");
    check::run(gpu, |recording| {
        recording.record(kernel, "test", params, tensors, [2, rows as u32, 1])
    });
}

/// Results of PyTorch for maps: see tests/golden/README.md.
pub struct Golden {
    pub arguments: Vec<usize>,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub dy: Vec<f64>,
    pub dx: Vec<f64>,
}

/// All cases of a layer.
pub fn golden(layer: &str) -> Vec<Golden> {
    let file = File::read("maps.safetensors");
    let names = file.names();
    let case = |number: usize| {
        let of = |name: &str| format!("{layer}.{number}.{name}");
        names.contains(&of("x")).then(|| {
            let [x, y, dy, dx] = ["x", "y", "dy", "dx"].map(|name| file.floats(&of(name)));
            Golden { arguments: file.integers(&of("arguments")), x, y, dy, dx }
        })
    };
    let cases: Vec<_> = (0..).map_while(case).collect();
    assert!(!cases.is_empty(), "no {layer} in maps.safetensors");
    cases
}

/// To the last digits of an f64.
pub fn assert_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let near = |(got, want): (&f64, &f64)| (got - want).abs() < 1e-12;
    assert!(got.iter().zip(want).all(near), "{what}: {got:?}, not {want:?}");
}

/// An op in which every element of y is a copy of one of x.
#[derive(Debug)]
pub struct Copies {
    pub x_shape: [usize; 2],
    pub y_shape: [usize; 2],
    /// For every element of y that of x.
    pub sources: Vec<usize>,
}

impl Copies {
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.sources.iter().map(|&source| x[source]).collect()
    }

    pub fn backward(&self, dy: &[f64], activation: Option<Activation>, pre: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; pre.len()];
        self.sources.iter().zip(dy).for_each(|(&source, dy)| dx[source] += dy);
        times_slope(dx, activation, pre)
    }

    fn x(&self, seed: u64, range: std::ops::Range<f32>) -> Vec<f32> {
        check::random(seed, self.x_shape.iter().product(), range)
    }

    /// The oracle against central differences.
    pub fn assert_gradients(&self, what: &str) {
        for activation in ACTIVATIONS {
            let pre = check::wide(&self.x(1, -2.0..2.0));
            let dy = check::wide(&check::random(2, self.sources.len(), -1.0..1.0));
            let loss = |pre: &[f64]| dot(&dy, &self.forward(&activated(activation, pre)));
            let gradient = self.backward(&dy, activation, &pre);
            check::assert_gradient(&format!("{what}, {activation:?}"), loss, &pre, &gradient);
        }
    }

    /// The oracle against PyTorch.
    pub fn assert_golden(&self, what: &str, golden: &Golden) {
        assert_close(&format!("y of {what}"), &self.forward(&golden.x), &golden.y);
        let dx = self.backward(&golden.dy, None, &golden.x);
        assert_close(&format!("dx of {what}"), &dx, &golden.dx);
    }

    pub fn assert_forward(
        &self,
        gpu: &Gpu,
        what: &str,
        record: impl Fn(&mut Recording, &Tensor, &Tensor),
    ) {
        let x = self.x(1, -1.0..1.0);
        let on_x = check::input(gpu, &self.x_shape, &x);
        let y = Guarded::new(gpu, &self.y_shape);
        check::run(gpu, |recording| record(recording, &on_x, &y.tensor));
        check::assert_each(what, &y.floats(gpu), &self.forward(&check::wide(&x)), 0.0, 0.0);
    }

    pub fn assert_backward(
        &self,
        gpu: &Gpu,
        what: &str,
        record: impl Fn(&mut Recording, &Tensor, &Origin, &Tensor),
    ) {
        for activation in ACTIVATIONS {
            let dy = check::random(1, self.sources.len(), -1.0..1.0);
            let pre = self.x(2, -2.0..2.0);
            let on_dy = check::input(gpu, &self.y_shape, &dy);
            let origin = origin(activation, &check::input(gpu, &self.x_shape, &pre));
            let dx = Guarded::new(gpu, &self.x_shape);
            check::run(gpu, |recording| record(recording, &on_dy, &origin, &dx.tensor));
            let want = self.backward(&check::wide(&dy), activation, &check::wide(&pre));
            check::assert_norm(&format!("{what}, {activation:?}"), &dx.floats(gpu), &want, 1e-5);
        }
    }
}
