// dx (batch, inputs) = dy (batch, outputs) · weight (outputs, inputs), taken back through the
// activation that x came out of.

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // dx
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;    // before the activation, read only

fn right_rows(p: Product, column: u32) -> vec4<u32> {
    return min(vec4(column) + FOUR, vec4(p.width - 1u));
}

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let at = row * p.result_row + column / 4u;
    result[at] = within(p, column, value * slope_four(pre[at]));
}

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    run(group_number(invocation), invocation.lane);
}
