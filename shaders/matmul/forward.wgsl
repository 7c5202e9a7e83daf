// y (batch, outputs) = activation(x (batch, inputs) · weightᵀ + bias), weight (outputs, inputs).

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // x, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<f32>>; // y
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>;    // before the activation

fn right_rows(p: Product, column: u32) -> vec4<u32> {
    return min(vec4(column) + FOUR, vec4(p.width - 1u));
}

var<private> added: vec4<f32>;

fn begin_column(p: Product, column: u32) {
    added = bias[min(column, p.width - 1u) / 4u]; // a tile may be wider than the result
}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let at = row * p.result_row + column / 4u;
    let x = value + added;
    pre[at] = within(p, column, x);
    result[at] = within(p, column, activate_four(x));
}

@compute @workgroup_size(INVOCATIONS)
fn forward(invocation: Invocation) {
    run(group_number(invocation), invocation.lane);
}
