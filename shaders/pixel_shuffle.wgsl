// Pixel shuffle (Shi et al. 2016): every FACTOR · FACTOR channels of a pixel become a square of
// pixels of one channel. Maps are (batch · height · width, channels), padded.
#import shared/activation
#import shared/index
#import shared/map
#import shared/padding

struct Params {
    count: u32,    // quads of the result
    height: u32,   // of x
    width: u32,
    x_row: u32,    // elements from pixel to pixel
    y_row: u32,
    channels: u32, // of y
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;         // read only
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;        // read only
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>; // read only
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

const SQUARE = FACTOR * FACTOR;

// One invocation for a quad of y.
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.height * FACTOR, p.width * FACTOR, p.y_row / 4u);
    let pixel = (place.x * p.height + place.y / FACTOR) * p.width + place.z / FACTOR;
    let first = pixel * p.x_row + place.y % FACTOR * FACTOR + place.z % FACTOR;
    let at = first + min(4u * place.w + FOUR, vec4(p.channels - 1u)) * SQUARE;
    let value = vec4(x[at.x], x[at.y], x[at.z], x[at.w]);
    y[i] = select(vec4(0.0), value, unpadded(place.w, p.channels));
}

// One invocation for a quad of x; dx is multiplied by the derivative of the activation whose output
// x is.
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.height, p.width, p.x_row / 4u);
    let source = min(4u * place.w + FOUR, vec4(p.channels * SQUARE - 1u));
    let channel = source / SQUARE;
    let row = (place.x * p.height + place.y) * FACTOR + source % SQUARE / FACTOR;
    let at = ((row * p.width + place.z) * FACTOR + source % FACTOR) * p.y_row + channel;
    let value = vec4(dy[at.x], dy[at.y], dy[at.z], dy[at.w]) * slope_four(pre[i]);
    dx[i] = select(vec4(0.0), value, unpadded(place.w, p.channels * SQUARE));
}
