//! The three matrix products of a linear layer.

use super::shader;
use crate::gpu::{Plan, Shader, Tensor};

/// `shaders/matmul.wgsl`.
pub const SHADER: Shader = shader!("matmul", "index");

/// How the work is cut.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Invocations in a workgroup.
    pub lanes: usize,
    /// 4×4 blocks down the tile of results that an invocation keeps in registers.
    pub rows: usize,
    /// 4×4 blocks across it.
    pub columns: usize,
}

/// A software adapter runs eight lanes a thread and pays for every load.
pub const SOFTWARE: Tiling = Tiling { lanes: 8, rows: 4, columns: 2 };
/// A GPU wants many lanes, and registers left for them.
pub const GPU: Tiling = Tiling { lanes: 64, rows: 2, columns: 2 };

impl Tiling {
    /// The shader's constants; `vector` where inputs and outputs are multiples of 4.
    pub fn constants(&self, vector: bool) -> [(&'static str, f64); 4] {
        [
            ("LANES", self.lanes as f64),
            ("ROWS", self.rows as f64),
            ("COLS", self.columns as f64),
            ("VECTOR", f64::from(u8::from(vector))),
        ]
    }

    /// Workgroups for a result of `height` by `width`.
    pub fn groups(&self, height: usize, width: usize) -> usize {
        let tiles = height.div_ceil(4 * self.rows) * width.div_ceil(4 * self.columns);
        tiles.div_ceil(self.lanes)
    }
}

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
    let tensors = [("a", x), ("b", weight), ("bias", bias), ("result", y)];
    record(plan, label, "forward", [x.rows(), x.columns(), y.columns()], &tensors, y);
}

/// dx (batch, inputs) = dy (batch, outputs) · weight (outputs, inputs).
pub fn backward_input(plan: &mut Plan, label: &str, dy: &Tensor, weight: &Tensor, dx: &Tensor) {
    let tensors = [("a", dy), ("b", weight), ("result", dx)];
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
    let tensors = [("a", dy), ("b", x), ("result", dweight), ("dbias", dbias)];
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
    let tiling = if plan.gpu().report().is_software() { SOFTWARE } else { GPU };
    let vector = inputs.is_multiple_of(4) && outputs.is_multiple_of(4);
    let kernel = plan.gpu().kernel(&SHADER, entry, &tiling.constants(vector));
    let params = [batch as u32, inputs as u32, outputs as u32, 0];
    let groups = tiling.groups(result.rows(), result.columns());
    plan.record_flat(kernel, label, &params, tensors, groups);
}
