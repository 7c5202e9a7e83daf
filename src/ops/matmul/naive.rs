//! The matrix product by its definition, against which other kernels are tested and timed.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/matmul/naive.wgsl`.
pub const SHADER: Shader = Shader::new("matmul/naive");

#[derive(Serialize)]
struct Params {
    height: usize,
    width: usize,
    depth: usize,
    left_row: usize,
    left_depth: usize,
    right_depth: usize,
    right_column: usize,
    result_row: usize,
}

/// A matrix, and whether it is transposed.
#[derive(Clone, Copy)]
pub struct Transposed<'a>(pub &'a Tensor, pub bool);

impl Transposed<'_> {
    /// Elements from one row to the next, and from one column to the next.
    fn strides(&self) -> [usize; 2] {
        if self.1 { [1, self.0.stride()] } else { [self.0.stride(), 1] }
    }
}

/// result (height, width) = left (height, depth) · right (depth, width), one element an invocation.
pub fn naive(
    recording: &mut Recording,
    label: &str,
    left: Transposed,
    right: Transposed,
    depth: usize,
    result: &Tensor,
) {
    let kernel = SHADER.kernel("naive", &[]);
    let ([left_row, left_depth], [right_depth, right_column]) = (left.strides(), right.strides());
    let params = Params {
        height: result.rows(),
        width: result.columns(),
        depth,
        left_row,
        left_depth,
        right_depth,
        right_column,
        result_row: result.stride(),
    };
    let tensors = [("left", left.0), ("right", right.0), ("result", result)];
    recording.record_elements(kernel, label, &params, &tensors, result.len());
}
