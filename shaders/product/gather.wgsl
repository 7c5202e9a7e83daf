// The product from the larger map of a convolution to the smaller, a row for each pixel of the
// smaller.
#import product/frame
#import product/patches
#import product/same_rows
#import product/VARIANT

struct Params {
    height: u32,
    width: u32,
    depth: u32,
    right_row: u32, // quads from row to row
    result_row: u32,
    @align(16) patches: Patches,
}

@group(0) @binding(0) var<uniform> params: Params;

var<private> patches: Patches;

fn multiply_gathered(number: u32, lane: u32) {
    patches = params.patches;
    let p = Product(params.height, params.width, params.depth, 0u, 0u, 0u, params.right_row, 0u, params.result_row, 0u);
    multiply(p, number, lane);
}
