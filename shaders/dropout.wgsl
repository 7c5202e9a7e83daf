// Dropout (Srivastava et al. 2014): which elements are dropped is a pure function of seed, stream,
// step, layer and place, so that the backward pass can draw it again. Matrices are (rows, columns),
// padded.
#import shared/activation
#import shared/index
#import shared/rng
#import shared/state

struct Params {
    count: u32,     // quads
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    layer: u32,
    threshold: u32, // 2^32 · p: an element whose word is below is dropped
    scale: f32,     // 1 / (1 - p)
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;   // read only
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dy: array<vec4<f32>>;  // read only
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>; // read only
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;

// Factors of the elements of quad number i: 1 / (1 - p), or zero if dropped.
fn factors(p: Params, i: u32) -> vec4<f32> {
    let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
    let words = threefry(vec4(i, state.step, p.layer, 0u), key);
    return select(vec4(p.scale), vec4(0.0), words < vec4(p.threshold));
}

// y = x · factors
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i < p.count {
        y[i] = x[i] * factors(p, i);
    }
}

// dx = dy · factors · f'(pre)
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i < p.count {
        dx[i] = dy[i] * factors(p, i) * slope_four(pre[i]);
    }
}
