// Common part of the forms whose result has a row for each image of a batch.
#import product/frame
#import product/same_rows
#import product/VARIANT

struct Params {
    height: u32,
    width: u32,
    depth: u32,
    left_row: u32,   // quads from row to row
    right_row: u32,
    result_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

fn whole() -> Product {
    return Product(params.height, params.width, params.depth, 0u, 0u, params.left_row, params.right_row, 0u, params.result_row, 0u);
}

fn multiply_batch(number: u32, lane: u32) {
    multiply(whole(), number, lane);
}
