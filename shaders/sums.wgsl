// Sums in two stages and a fixed order: of columns, in parts; and of parts.
struct Task {
    first: u32, // of its invocations
    part: u32,  // first quad of the first part
    step: u32,  // quads from part to part
    parts: u32,
    to: u32,    // first quad of the sum
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

struct Params { count: u32, tasks: u32, pad0: u32, pad1: u32, list: array<Task, 32> }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> addends: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

// Four elements an invocation.
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
    var number = 0u;
    while number + 1u < params.tasks && params.list[number + 1u].first <= n {
        number++;
    }
    let t = params.list[number];
    var at = t.part + n - t.first;
    var sum = vec4(0.0);
    for (var i = 0u; i < t.parts; i++) {
        sum += addends[at];
        at += t.step;
    }
    result[t.to + n - t.first] = sum;
}
