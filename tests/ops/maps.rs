//! What the cases of ops on maps share.

use bytemuck::NoUninit;
use vae_gpu::gpu::{Gpu, Shader, Tensor};
use vae_gpu::ops::activation;

use crate::check::{self, MARGIN};
use crate::matmul::oracle::{slope, value};

/// Out of which the x of a backward pass may come.
pub const ACTIVATIONS: [Option<&str>; 3] = [None, Some("relu"), Some("silu")];

/// Rows and columns for what takes elements one by one.
pub const SHAPES: [[usize; 2]; 9] =
    [[1, 1], [1, 4], [63, 5], [257, 3], [5, 1757], [1757, 1], [33, 64], [20, 257], [2, 1756]];

/// f(x)
pub fn activated(activation: Option<&str>, x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| value(activation.unwrap_or("none"), x)).collect()
}

/// dx · f'(pre)
pub fn times_slope(dx: Vec<f64>, activation: Option<&str>, pre: &[f64]) -> Vec<f64> {
    let pairs = dx.iter().zip(pre);
    pairs.map(|(dx, &pre)| dx * slope(activation.unwrap_or("none"), pre)).collect()
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
pub fn run_kernel<P: NoUninit>(
    gpu: &Gpu,
    (shader, entry): (&Shader, &str),
    constants: &[(&'static str, u32)],
    params: &P,
    tensors: &[(&str, &Tensor)],
    elements: usize,
) {
    let none = ("ACTIVATION", activation::NAMES.len() as u32);
    let kernel = gpu.kernel(shader, entry, &[&[none], constants].concat());
    let rows = elements.div_ceil(2 * 64) + 1;
    assert!(rows > 2, "{entry}: too small to wrap");
    check::run(gpu, |plan| plan.record(kernel, "test", params, tensors, [2, rows as u32, 1]));
}
