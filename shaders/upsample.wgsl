// Upsampling by nearest neighbours: every pixel becomes FACTOR_DOWN by FACTOR_ACROSS pixels. Maps are
// (batch · height · width, channels).
#import shared/activation
#import shared/index
#import shared/map

struct Params {
    count: u32,  // quads of x
    height: u32, // of x
    width: u32,
    quads: u32,  // of channels
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;   // read only
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dy: array<vec4<f32>>;  // read only
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>; // read only
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

// The index in y of the first copy of x's quad number i.
fn first_copy(p: Params, i: u32) -> u32 {
    let place = map_place(i, p.height, p.width, p.quads);
    let row = (place.x * p.height + place.y) * FACTOR_DOWN;
    return (row * p.width + place.z) * FACTOR_ACROSS * p.quads + place.w;
}

// One invocation for a quad of x, and all its copies.
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let first = first_copy(p, i);
    let value = x[i];
    for (var row = 0u; row < FACTOR_DOWN; row++) {
        for (var column = 0u; column < FACTOR_ACROSS; column++) {
            y[first + (row * p.width * FACTOR_ACROSS + column) * p.quads] = value;
        }
    }
}

// dx = the sum of dy over the copies, multiplied by the derivative of the activation whose output x
// is.
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let first = first_copy(p, i);
    var sum = vec4(0.0);
    for (var row = 0u; row < FACTOR_DOWN; row++) {
        for (var column = 0u; column < FACTOR_ACROSS; column++) {
            sum += dy[first + (row * p.width * FACTOR_ACROSS + column) * p.quads];
        }
    }
    dx[i] = sum * slope_four(pre[i]);
}
