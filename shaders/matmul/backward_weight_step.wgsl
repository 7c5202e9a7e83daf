// As backward_weight.wgsl, with the optimizer's step on the parameters at once: the gradients are never stored.

struct Params { optimizer: Optimizer, depth: u32, count: u32, pad0: u32, pad1: u32, tasks: array<Task, TASKS> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;  // dy of every layer
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>; // x of every layer
@group(0) @binding(3) var<storage, read> state: State;
@group(0) @binding(4) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    update(p.result + row * p.result_row + column / 4u, within(p, column, value));
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {
    update(p.bias + row / 4u, select(vec4(0.0), sums, vec4(row) + FOUR < vec4(p.height)));
}

@compute @workgroup_size(INVOCATIONS)
fn backward_weight_step(
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
    begin_updates(params.optimizer, state.step);
    multiply(product(t, params.depth), (number - t.tile) / TILES, lane);
}
