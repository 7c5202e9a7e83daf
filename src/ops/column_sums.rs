//! The sums of a matrix's columns, over a batch or a map's pixels.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/column_sums.wgsl`.
pub const SHADER: Shader = Shader::new("column_sums");

#[derive(Serialize)]
struct Params {
    height: usize,
    row: usize,
    rows: usize,
    parts: usize,
}

/// Smallest number of rows that a workgroup sums.
const ROWS: usize = 1024;
/// Largest number of parts.
const PARTS: usize = 64;

/// The column sums of x (rows, columns), in the recording's workspace, in parts (parts, columns),
/// which [`super::sums`] adds up.
pub fn parts(recording: &mut Recording, label: &str, x: &Tensor) -> Tensor {
    let rows = x.rows().div_ceil(PARTS).max(ROWS);
    let parts = x.rows().div_ceil(rows);
    let result = recording.matrix(&[parts, x.columns()]);
    assert_eq!(x.stride(), result.stride(), "{label}: matrices must be padded");
    let quads = x.stride() / 4;
    let params = Params { height: x.rows(), row: quads, rows, parts };
    let kernel = SHADER.kernel("parts", &[]);
    recording.record_flat(kernel, label, &params, &[("x", x), ("result", &result)], parts * quads);
    result
}
