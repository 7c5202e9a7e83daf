// The patches of a map (batch, height, width, channels), as in im2col: a matrix whose rows are the
// pixels of a grid laid over the map and whose columns are, tap by tap, the channels of the pixels
// around. A convolution multiplies it by its weight. It is never stored.
struct Patches {
    across: Divisor, // pixels of the grid in a row
    down: Divisor,   // rows of the grid
    quads: Divisor,  // of the channels
    taps: Divisor,   // in a line of the kernel
    height: i32,     // of the map
    width: i32,
    step_down: i32,  // pixels of the map from pixel to pixel of the grid
    step_across: i32,
    turn: i32,       // pixels of the map from tap to tap: 1, or -1 in scatter.wgsl
    top: i32,        // row of the first pixel's first tap
    @size(8) left: i32, // its column; padded to a multiple of 16 bytes, which uniforms require
}

// A number, and the bits of its reciprocal as an f32.
alias Divisor = vec2<i32>;

// n / by, rounded down, for 0 <= n < 2³¹ and by < 2²¹. Software adapters divide integers slowly, so
// this estimates the quotient, with a relative error of 2⁻²², and corrects it by dividing the rest.
fn divide(n: vec4<i32>, by: Divisor) -> vec4<i32> {
    let reciprocal = bitcast<f32>(by.y);
    let guess = vec4<i32>(vec4<f32>(n) * reciprocal);
    let rest = vec4<f32>(n - guess * by.x) + 0.5;
    return guess + vec4<i32>(floor(rest * reciprocal));
}

// Positions in the map: quads from its beginning, row and column. A pixel's and a tap's are added.
struct Places { at: vec4<i32>, y: vec4<i32>, x: vec4<i32> }

struct Tap { at: i32, y: i32, x: i32 }

// The first taps of pixels of the grid.
fn places(m: Patches, pixel: vec4<u32>) -> Places {
    let n = vec4<i32>(pixel);
    let line = divide(n, m.across);
    let image = divide(line, m.down);
    let y = (line - image * m.down.x) * m.step_down + m.top;
    let x = (n - line * m.across.x) * m.step_across + m.left;
    return Places(((image * m.height + y) * m.width + x) * m.quads.x, y, x);
}

// Line of taps, tap in it and quad of the channels, of quad number `quad` of a patch.
fn split(m: Patches, quad: u32) -> vec3<i32> {
    let n = i32(quad);
    let tap = divide(vec4(n), m.quads).x;
    let line = divide(vec4(tap), m.taps).x;
    return vec3(line, tap - line * m.taps.x, n - tap * m.quads.x);
}

fn tap(m: Patches, quad: u32) -> Tap {
    let parts = split(m, quad);
    let y = parts.x * m.turn;
    let x = parts.y * m.turn;
    return Tap((y * m.width + x) * m.quads.x + parts.z, y, x);
}

fn inside(m: Patches, places: Places, tap: Tap) -> vec4<bool> {
    let y = vec4<u32>(places.y + tap.y);
    let x = vec4<u32>(places.x + tap.x);
    return (y < vec4(u32(m.height))) & (x < vec4(u32(m.width)));
}
