// Pooling of maps (batch · height · width, channels) by windows, as PyTorch's max_pool2d and
// avg_pool2d without ceil_mode. The host sets KERNEL, STRIDE and PADDING, each of them DOWN and ACROSS.
#import shared/activation
#import shared/index
#import shared/map

struct Params {
    count: u32,      // quads of the result
    height: u32,     // of x
    width: u32,
    out_height: u32, // of y
    out_width: u32,
    quads: u32,      // of channels
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;   // read only
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;   // position in the window, a byte a channel
@group(0) @binding(4) var<storage, read_write> dy: array<vec4<f32>>;  // read only
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>; // read only
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;

const BYTES = vec4(0u, 8u, 16u, 24u);
// Largest number of windows along a side that have a pixel in common.
const WINDOWS_DOWN = i32((KERNEL_DOWN + STRIDE_DOWN - 1u) / STRIDE_DOWN);
const WINDOWS_ACROSS = i32((KERNEL_ACROSS + STRIDE_ACROSS - 1u) / STRIDE_ACROSS);

const STRIDE = vec2(STRIDE_DOWN, STRIDE_ACROSS);
const PADDING = vec2(PADDING_DOWN, PADDING_ACROSS);

// Row and column where the window of the result at `place` begins; negative in the padding.
fn window_corner(place: vec4<u32>) -> vec2<i32> {
    return vec2<i32>(place.yz * STRIDE) - vec2<i32>(PADDING);
}

// The pixel of the map nearest to some position, and its index in x.
struct Pixel { at: vec2<i32>, i: u32 }

fn nearest(p: Params, place: vec4<u32>, at: vec2<i32>) -> Pixel {
    let near = clamp(at, vec2(0), vec2(i32(p.height), i32(p.width)) - 1);
    let row = place.x * p.height + u32(near.x);
    return Pixel(near, (row * p.width + u32(near.y)) * p.quads + place.w);
}

// Tests the bits, since compilers may take value != value for false.
fn is_nan(value: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(value) & vec4(0x7FFFFFFFu)) > vec4(0x7F800000u);
}

// The maximum of each window, and its position there, which is the first in row order; NaN counts
// as the largest, and of several the last one's position is kept. Past an edge the nearest pixel is
// read again, which does not change the maximum.
@compute @workgroup_size(64)
fn max_forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.out_height, p.out_width, p.quads);
    let first = window_corner(place);
    var best = vec4(0.0);
    var index = vec4(0u);
    for (var row = 0; row < i32(KERNEL_DOWN); row++) {
        for (var column = 0; column < i32(KERNEL_ACROSS); column++) {
            let seen = nearest(p, place, first + vec2(row, column));
            let value = x[seen.i];
            let better = vec4(row + column == 0) | (value > best) | is_nan(value);
            let offset = vec2<u32>(seen.at - first);
            best = select(best, value, better);
            index = select(index, vec4(offset.x * KERNEL_ACROSS + offset.y), better);
        }
    }
    y[i] = best;
    let bytes = index << BYTES;
    indices[i] = bytes.x | bytes.y | bytes.z | bytes.w;
}

// The mean of each window, the padding's zeros included.
@compute @workgroup_size(64)
fn avg_forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.out_height, p.out_width, p.quads);
    let first = window_corner(place);
    var sum = vec4(0.0);
    for (var row = 0; row < i32(KERNEL_DOWN); row++) {
        for (var column = 0; column < i32(KERNEL_ACROSS); column++) {
            let wanted = first + vec2(row, column);
            let seen = nearest(p, place, wanted);
            sum += select(vec4(0.0), x[seen.i], all(seen.at == wanted));
        }
    }
    y[i] = sum / f32(KERNEL_DOWN * KERNEL_ACROSS);
}

// A window that may have a pixel in it.
struct Window {
    has: bool,
    at: u32,     // in y
    offset: u32, // the pixel's place in it
}

// One of the windows that contain the pixel at `place`: the one `back` windows before the last.
fn window(p: Params, place: vec4<u32>, back: vec2<i32>) -> Window {
    let pixel = place.yz + PADDING;
    let wanted = vec2<i32>(pixel / STRIDE) - back;
    let at = vec2<u32>(clamp(wanted, vec2(0), vec2(i32(p.out_height), i32(p.out_width)) - 1));
    let offset = pixel - at * STRIDE;
    return Window(
        all(vec2<i32>(at) == wanted) && all(offset < vec2(KERNEL_DOWN, KERNEL_ACROSS)),
        ((place.x * p.out_height + at.x) * p.out_width + at.y) * p.quads + place.w,
        offset.x * KERNEL_ACROSS + offset.y,
    );
}

// dx = the sum of dy over the windows whose maximum the pixel is, multiplied by the derivative of
// the activation whose output x is.
@compute @workgroup_size(64)
fn max_backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.height, p.width, p.quads);
    var sum = vec4(0.0);
    for (var row = WINDOWS_DOWN - 1; row >= 0; row--) {
        for (var column = WINDOWS_ACROSS - 1; column >= 0; column--) {
            let w = window(p, place, vec2(row, column));
            let index = (vec4(indices[w.at]) >> BYTES) & vec4(255u);
            sum += select(vec4(0.0), dy[w.at], vec4(w.has) & (index == vec4(w.offset)));
        }
    }
    dx[i] = sum * slope_four(pre[i]);
}

// dx = an equal share of dy from every window that contains the pixel, multiplied by the derivative
// of the activation whose output x is.
@compute @workgroup_size(64)
fn avg_backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    let place = map_place(i, p.height, p.width, p.quads);
    var sum = vec4(0.0);
    for (var row = WINDOWS_DOWN - 1; row >= 0; row--) {
        for (var column = WINDOWS_ACROSS - 1; column >= 0; column--) {
            let w = window(p, place, vec2(row, column));
            sum += select(vec4(0.0), dy[w.at], w.has);
        }
    }
    dx[i] = sum / f32(KERNEL_DOWN * KERNEL_ACROSS) * slope_four(pre[i]);
}
