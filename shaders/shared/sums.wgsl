// A sum of parts.
struct Sum {
    first: u32, // of its invocations
    part: u32,  // first quad of the first part
    step: u32,  // quads from part to part
    parts: u32,
    to: u32,    // first quad of the sum
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(1) var<storage, read> addends: array<vec4<f32>>;

// Of the quads of invocation n, in a fixed order.
fn sum_of_parts(t: Sum, n: u32) -> vec4<f32> {
    var at = t.part + n - t.first;
    var sum = vec4(0.0);
    for (var i = 0u; i < t.parts; i++) {
        sum += addends[at];
        at += t.step;
    }
    return sum;
}
