//! Two matrices side by side, as a condition beside what it conditions (Sohn et al. 2015).

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/concat.wgsl`.
pub const SHADER: Shader = Shader::new("concat");

#[derive(Serialize)]
struct Params {
    rows: usize,
    span: usize,
    first: usize,
    columns: usize,
    row: usize,
    a_row: usize,
    b_row: usize,
}

/// y (rows, m + n) = the columns of a (rows, m), then those of b (rows / span, n), of which each row goes
/// for `span` successive rows: those of a map's places, or 1.
pub fn forward(recording: &mut Recording, label: &str, [a, b]: [&Tensor; 2], y: &Tensor) {
    let (rows, columns) = (a.rows(), a.columns() + b.columns());
    let span = rows / b.rows();
    assert_eq!([y.rows(), y.columns()], [rows, columns], "{label}: shape of y");
    assert_eq!(span * b.rows(), rows, "{label}: rows of b");
    let params = Params {
        rows,
        span,
        first: a.columns(),
        columns,
        row: y.stride(),
        a_row: a.stride(),
        b_row: b.stride(),
    };
    let tensors = [("a", a), ("b", b), ("y", y)];
    recording.record_elements(SHADER.kernel("forward", &[]), label, &params, &tensors, y.extent());
}

/// dx (rows / span, n) = the columns of dy (rows, …) from number `first` on, summed over the rows that a
/// row of x goes for.
pub fn backward(recording: &mut Recording, label: &str, dy: &Tensor, first: usize, dx: &Tensor) {
    let span = dy.rows() / dx.rows();
    assert_eq!(span * dx.rows(), dy.rows(), "{label}: rows of dx");
    assert!(first + dx.columns() <= dy.columns(), "{label}: columns of dx");
    let params = Params {
        rows: dx.rows(),
        span,
        first,
        columns: dx.columns(),
        row: dx.stride(),
        a_row: dy.stride(),
        b_row: 0,
    };
    let tensors = [("dy", dy), ("dx", dx)];
    let kernel = SHADER.kernel("backward", &[]);
    recording.record_elements(kernel, label, &params, &tensors, dx.extent());
}
