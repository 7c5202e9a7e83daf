// The product by its definition, one element an invocation, against which the other kernels are
// tested and timed.
#import shared/index

struct Params {
    height: u32,
    width: u32,
    depth: u32,
    left_row: u32,    // elements from row to row
    left_depth: u32,  // elements from depth to depth
    right_depth: u32,
    right_column: u32,
    result_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> left: array<f32>;  // read only
@group(0) @binding(2) var<storage, read_write> right: array<f32>; // read only
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn naive(invocation: Invocation) {
    let i = element(invocation);
    if i >= params.height * params.width {
        return;
    }
    let row = i / params.width;
    let column = i % params.width;
    var sum = 0.0;
    for (var k = 0u; k < params.depth; k++) {
        let a = left[row * params.left_row + k * params.left_depth];
        sum += a * right[k * params.right_depth + column * params.right_column];
    }
    result[row * params.result_row + column] = sum;
}
