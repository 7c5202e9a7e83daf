// For each of several results the sum of its parts, four elements an invocation. The importing file
// declares `params` with a member `sums`.
struct Sums { count: u32, tasks: u32, @align(16) list: array<Sum, TASKS> }

struct Sum {
    first: u32,        // number of its first invocation
    part: u32,         // first quad of the first part
    step: u32,         // quads from part to part
    parts: u32,
    @size(16) to: u32, // first quad of the sum; padded to the 16 bytes that uniforms require
}

@group(0) @binding(1) var<storage, read> addends: array<vec4<f32>>;

// Four elements of a sum, and the quad at which they are stored.
struct Total { at: u32, sum: vec4<f32> }

// The four elements of invocation number n.
fn total(n: u32) -> Total {
    var i = 0u;
    while i + 1u < params.sums.tasks && params.sums.list[i + 1u].first <= n {
        i++;
    }
    let t = params.sums.list[i];
    var at = t.part + n - t.first;
    var sum = vec4(0.0);
    for (var part = 0u; part < t.parts; part++) {
        sum += addends[at];
        at += t.step;
    }
    return Total(t.to + n - t.first, sum);
}
