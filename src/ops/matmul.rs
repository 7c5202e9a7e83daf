//! The three matrix products of a linear layer.

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/matmul.wgsl`.
pub const SHADER: Shader = shader!("matmul", "index");

/// How the work is cut: invocations in a workgroup, and 4×4 blocks down and across the tile of
/// results that each keeps in registers.
struct Tiling {
    lanes: usize,
    rows: usize,
    columns: usize,
}

/// A software adapter runs eight lanes a thread and pays for every load; a GPU wants many lanes,
/// and registers left for them.
const SOFTWARE: Tiling = Tiling { lanes: 8, rows: 4, columns: 2 };
const GPU: Tiling = Tiling { lanes: 64, rows: 2, columns: 2 };

/// y (batch, outputs) = x (batch, inputs) · weightᵀ + bias, with weight (outputs, inputs) and bias
/// (outputs).
pub fn forward(
    plan: &mut Plan,
    label: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    y: &Tensor,
) {
    let tensors = [("x", x), ("weight", weight), ("bias", bias), ("result", y)];
    record(plan, label, "forward", [x.rows(), x.columns(), y.columns()], &tensors, y);
}

/// dx (batch, inputs) = dy (batch, outputs) · weight (outputs, inputs).
pub fn backward_input(plan: &mut Plan, label: &str, dy: &Tensor, weight: &Tensor, dx: &Tensor) {
    let tensors = [("dy", dy), ("weight", weight), ("result", dx)];
    record(plan, label, "backward_input", [dy.rows(), dx.columns(), dy.columns()], &tensors, dx);
}

/// dweight (outputs, inputs) = dyᵀ · x and dbias (outputs) = the column sums of dy, with dy
/// (batch, outputs) and x (batch, inputs).
pub fn backward_weight(
    plan: &mut Plan,
    label: &str,
    dy: &Tensor,
    x: &Tensor,
    dweight: &Tensor,
    dbias: &Tensor,
) {
    let tensors = [("dy", dy), ("x", x), ("result", dweight), ("dbias", dbias)];
    let sizes = [dy.rows(), x.columns(), dy.columns()];
    record(plan, label, "backward_weight", sizes, &tensors, dweight);
}

fn record(
    plan: &mut Plan,
    label: &str,
    entry: &str,
    [batch, inputs, outputs]: [usize; 3],
    tensors: &[(&str, &Tensor)],
    result: &Tensor,
) {
    let Tiling { lanes, rows, columns } =
        if plan.gpu().report().is_software() { SOFTWARE } else { GPU };
    let vector = inputs.is_multiple_of(4) && outputs.is_multiple_of(4);
    let constants = [
        ("LANES", lanes as f64),
        ("ROWS", rows as f64),
        ("COLS", columns as f64),
        ("VECTOR", f64::from(u8::from(vector))),
    ];
    let kernel = plan.gpu().kernel(&SHADER, entry, &constants);
    let params = [batch as u32, inputs as u32, outputs as u32, 0];
    let tiles = result.rows().div_ceil(4 * rows) * result.columns().div_ceil(4 * columns);
    plan.record_flat(kernel, label, &params, tensors, tiles.div_ceil(lanes));
}
