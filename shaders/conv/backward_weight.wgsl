// The gradient of a convolution's weight, (channels of the smaller map, taps · channels of the larger)
// = smallerᵀ · patches of the larger, and the column sums of the smaller map. Such products are deep
// and their results small: the depth is cut into parts, each with a result of its own, and
// sums.wgsl adds them.
#import product/finish_weight
#import product/frame
#import product/left_columns
#import product/patches
#import product/right_patches
#import product/same_rows
#import product/VARIANT
#import shared/index

struct Params {
    height: u32,
    width: u32,
    depth: u32,      // pixels of the smaller map
    left_row: u32,   // quads from row to row
    result_row: u32,
    length: u32,     // depth of a part
    parts: u32,
    groups: u32,     // of a part
    patches: Patches,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // the smaller map, read only
@group(0) @binding(2) var<storage, read_write> right: array<vec4<f32>>;  // the larger, read only
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // (parts, weight and sums)

var<private> patches: Patches;

fn take_gradient(at: u32, four: vec4<f32>) {
    result[at] = four;
}

@compute @workgroup_size(INVOCATIONS)
fn backward_weight(invocation: Invocation) {
    patches = params.patches;
    let number = group_number(invocation);
    let part = min(number / params.groups, params.parts - 1u);
    let first = part * params.length;
    let depth = min(params.length, params.depth - first);
    let weight = params.height * params.result_row;
    let result = part * (weight + params.left_row);
    let p = Product(params.height, params.width, depth, first * params.left_row, first, params.left_row, 0u, result, params.result_row, result + weight);
    multiply(p, number - part * params.groups, invocation.lane);
}
