// As sums.wgsl, of gradients, with the optimizer's step on the parameters at once.
struct Params { optimizer: Optimizer, count: u32, sums: u32, pad0: u32, pad1: u32, list: array<Sum, 32> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> state: State;
@group(0) @binding(3) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

@compute @workgroup_size(64)
fn parts(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let n = flat_group(group, groups) * 64u + lane;
    if n >= params.count {
        return;
    }
    var i = 0u;
    while i + 1u < params.sums && params.list[i + 1u].first <= n {
        i++;
    }
    let t = params.list[i];
    begin_updates(params.optimizer, state.step);
    update(t.to + n - t.first, sum_of_parts(t, n));
}
