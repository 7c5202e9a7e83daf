// Measures an adapter's limits: arithmetic, copies, and dispatches that do almost nothing. An
// invocation of copy moves QUADS vec4s.
#import shared/index

struct Params { count: u32, rounds: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<f32>;           // (2): m, c
@group(0) @binding(2) var<storage, read> start: array<f32>;             // (count)
@group(0) @binding(3) var<storage, read_write> result: array<f32>;      // (count)
@group(0) @binding(4) var<storage, read> source: array<vec4<f32>>;      // (count)
@group(0) @binding(5) var<storage, read_write> copied: array<vec4<f32>>; // (count)
@group(0) @binding(6) var<storage, read_write> counter: array<u32>;     // (64)

// Twelve independent accumulators v = m v + c, eight times a round, from start times 1 to 12; the
// result is their sum. m and c come from memory, so that the compiler cannot fold them.
@compute @workgroup_size(64)
fn arithmetic(invocation: Invocation) {
    let i = element(invocation);
    if i >= params.count {
        return;
    }
    let m = vec4(factors[0]);
    let c = vec4(factors[1]);
    var p = start[i] * vec4(1.0, 2.0, 3.0, 4.0);
    var q = start[i] * vec4(5.0, 6.0, 7.0, 8.0);
    var r = start[i] * vec4(9.0, 10.0, 11.0, 12.0);
    for (var round = 0u; round < params.rounds; round++) {
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
        p = fma(p, m, c); q = fma(q, m, c); r = fma(r, m, c);
    }
    result[i] = dot(p + q + r, vec4(1.0));
}

// copied = source; a workgroup moves 64 · QUADS neighbours.
@compute @workgroup_size(64)
fn copy(invocation: Invocation) {
    let first = group_number(invocation) * 64u * QUADS + invocation.lane;
    for (var k = 0u; k < QUADS; k++) {
        let i = first + 64u * k;
        if i < params.count {
            copied[i] = source[i];
        }
    }
}

// Adds one to every word: little work, whose result the host can verify.
@compute @workgroup_size(64)
fn touch(@builtin(local_invocation_index) lane: u32) {
    if lane < params.count {
        counter[lane] += 1u;
    }
}
