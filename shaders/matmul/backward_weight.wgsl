// For each of several layers: dweight (outputs, inputs) = dyᵀ (outputs, batch) · x (batch, inputs) and
// dbias (outputs) = the column sums of dy.
struct Task {
    tile: u32,       // the first of its tiles
    height: u32,     // outputs
    width: u32,      // inputs
    left: u32,       // dy, the first quad
    right: u32,      // x, likewise
    left_row: u32,   // quads from row to row
    right_row: u32,
    weight: u32,     // the gradient's or parameter's first quad
    result_row: u32, // its quads from row to row
    bias: u32,       // first quad
    pad0: u32,
    pad1: u32,
}
struct Params { depth: u32, count: u32, pad0: u32, pad1: u32, tasks: array<Task, TASKS> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;  // dy of every layer
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>; // x of every layer
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // gradients

const LEFT_BY_DEPTH = 0u;
const RIGHT_BY_DEPTH = 0u;

fn right_rows(p: Product, column: u32) -> vec4<u32> {
    return vec4(0u);
}

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    result[p.result + row * p.result_row + column / 4u] = within(p, column, value);
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {
    result[p.bias + row / 4u] = select(vec4(0.0), sums, vec4(row) + FOUR < vec4(p.height));
}

@compute @workgroup_size(INVOCATIONS)
fn backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = flat_group(group, groups) * TILES;
    var i = 0u;
    while i + 1u < params.count && params.tasks[i + 1u].tile <= number {
        i++;
    }
    let t = params.tasks[i];
    let p = Product(t.height, t.width, params.depth, t.left, t.right, t.left_row, t.right_row, t.weight, t.result_row, t.bias);
    multiply(p, (number - t.tile) / TILES, lane);
}
