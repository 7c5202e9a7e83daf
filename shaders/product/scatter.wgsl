// The product from the smaller map of a convolution to the larger, a row for each pixel of the
// larger. Pixels that are the stride apart have the same taps of the kernel, so that there are up to
// as many products as the stride has places, down times across: the phases, each with only the taps
// that reach a pixel of the smaller map.
#import product/frame
#import product/patches
#import product/VARIANT

struct Params {
    width: u32,
    channels: u32,    // of the smaller map: rows of the weight
    right_row: u32,   // quads from row to row
    result_row: u32,
    tap_down: u32,    // taps of the weight from line to line of the phase's taps
    tap_across: u32,  // taps of the weight from one of the phase's to the next
    image: u32,       // pixels of the larger map
    line: u32,        // pixels of the larger map from line to line of the phase's
    stride: u32,      // pixels of the larger map from one of the phase's to the next across
    count: u32,       // of phases
    @align(16) phases: array<Phase, PHASES>,
}

struct Phase {
    height: u32,
    depth: u32,
    first_tap: u32,
    first_pixel: u32,
    patches: Patches,
}

@group(0) @binding(0) var<uniform> params: Params;

var<private> patches: Patches;
var<private> last_channel: u32;
var<private> tap_steps: vec2<u32>;
var<private> pixel_steps: vec3<u32>;

// Successive workgroups compute different phases: phases differ in depth, and software adapters
// give each of their threads few runs of successive workgroups.
fn multiply_scattered(number: u32, lane: u32) {
    let t = params.phases[number % params.count];
    patches = t.patches;
    last_channel = params.channels - 1u;
    tap_steps = vec2(params.tap_down, params.tap_across);
    pixel_steps = vec3(params.image, params.line, params.stride);
    let p = Product(t.height, params.width, t.depth, 0u, t.first_tap, 0u, params.right_row, t.first_pixel, params.result_row, 0u);
    multiply(p, number / params.count, lane);
}

fn result_rows(p: Product, row: u32) -> vec4<u32> {
    let n = vec4<i32>(vec4(row) + FOUR);
    let line = divide(n, patches.across);
    let image = divide(line, patches.down);
    let y = vec4<u32>(line - image * patches.down.x);
    let x = vec4<u32>(n - line * patches.across.x);
    return p.result + vec4<u32>(image) * pixel_steps.x + y * pixel_steps.y + x * pixel_steps.z;
}

// The right side is the weight, whose rows are the depths and whose columns are, tap by tap, the
// channels of the larger map.
const RIGHT_BY_DEPTH = 0u;

alias RightStart = u32;

// The position of columns column to column + 3 in a tap.
fn right_start(p: Product, column: u32) -> RightStart {
    return min(column / 4u, p.result_row - 1u);
}

// Their depths k to k + 3, channels of one tap.
fn right_block(p: Product, start: RightStart, k: u32) -> Block {
    let parts = vec3<u32>(split(patches, k / 4u));
    let tap = p.right + parts.x * tap_steps.x + parts.y * tap_steps.y;
    let rows = min(vec4(4u * parts.z) + FOUR, vec4(last_channel));
    let at = rows * p.right_row + tap * p.result_row + start;
    return Block(right[at.x], right[at.y], right[at.z], right[at.w]);
}
