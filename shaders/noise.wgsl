// Standard normal noise, a pure function of seed, stream, step and index.
#import shared/index
#import shared/padding
#import shared/rng
#import shared/state

struct Params {
    count: u32,     // elements of epsilon, or quads of x
    columns: u32,   // of x
    number: u32,    // of the draw, among those of a step
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read_write> epsilon: array<f32>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4<f32>>; // (rows, columns), padded

fn four(p: Params, i: u32) -> vec4<f32> {
    let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
    return normals(threefry(vec4(i, state.step, p.number, 0u), key));
}

// Each invocation fills four elements from one draw.
@compute @workgroup_size(64)
fn normal(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let values = four(p, i);
    for (var j = 0u; j < 4u && 4u * i + j < p.count; j++) {
        epsilon[4u * i + j] = values[j];
    }
}

// The same for the quads of a matrix.
@compute @workgroup_size(64)
fn matrix(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let values = four(p, i);
    if i < p.count {
        x[i] = within(i, p.columns, values);
    }
}
