// result (height, width) = left (height, depth) · right (depth, width), the frame of every matrix
// product here. An entry file (matmul/, conv/, conv_transpose/) declares `left`, `right` and its
// other bindings, and imports the files that complete the frame:
//   - a file that reads the parameters and calls `multiply`: batch.wgsl, layers.wgsl, gather.wgsl
//     or scatter.wgsl. Its `result_rows`, or that of same_rows.wgsl, gives the rows of the result
//     in memory;
//   - a loader for each side (left_*.wgsl, right_*.wgsl; scatter.wgsl has one itself), which loads
//     4×4 blocks. LEFT_BY_DEPTH and RIGHT_BY_DEPTH are 1 if neighbours in depth are neighbours in
//     memory. left_start and right_start can be called before the loop over the depth, out of
//     which the compilers of software adapters would not hoist them;
//   - an epilogue (finish_*.wgsl), whose `finish` takes the results four columns at a time and
//     adds, activates or updates before it stores, and whose `finish_sums` takes the left side's
//     sums;
//   - a variant, whose `multiply` divides the work: lanes.wgsl, registers.wgsl or tiled.wgsl. The
//     host says which one product/VARIANT is.
//
// Rows consist of quads (four floats) and are padded with zeros. Past an edge the last row or quad
// is read again, and the results are never stored.
#import shared/padding

// The sizes and positions of a product, which are read from the parameters once: in a loop,
// software adapters would read a uniform lane by lane.
struct Product {
    height: u32,
    width: u32,
    depth: u32,
    left: u32,      // first quad
    right: u32,
    left_row: u32,  // quads from row to row
    right_row: u32,
    result: u32,    // first quad
    result_row: u32,
    bias: u32,      // first quad
}

alias Block = mat4x4<f32>; // block[i][j]: row i, column j

// First row and column of tile number `tile`; tiles are numbered row by row.
fn tile_corner(p: Product, tile: u32, height: u32, width: u32) -> vec2<u32> {
    let across = (p.width + width - 1u) / width;
    return vec2(tile / across * height, tile % across * width);
}

// Four columns of a row, zero in the padding.
fn without_padding(p: Product, column: u32, value: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), value, vec4(column) + FOUR < vec4(p.width));
}
