// The optimizer as a dispatch of its own: see shared/adam.wgsl.
struct Params { adam: Adam, count: u32, pad0: u32, pad1: u32, pad2: u32 } // count in quads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

@compute @workgroup_size(64)
fn step(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i >= params.count {
        return;
    }
    var p = parameter[i];
    var m = first_moment[i];
    var v = second_moment[i];
    let scale = adam_scale(params.adam, state.step, state.learning_rate);
    adam_step(params.adam, scale, gradient[i], &p, &m, &v);
    parameter[i] = p;
    first_moment[i] = m;
    second_moment[i] = v;
}
