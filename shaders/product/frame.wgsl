// result (height, width) = left (height, depth) · right (depth, width), the frame of every matrix
// product here. An entry file (matmul/, conv/, conv_transpose/) declares `left`, `right` and what else
// it binds, and imports what completes the frame:
//   - what reads the parameters and calls `multiply`: batch.wgsl, layers.wgsl, gather.wgsl,
//     scatter.wgsl. It says in `result_rows` where rows of the result lie;
//   - a loader for each side, which gives it in blocks and says how it lies (LEFT_BY_DEPTH,
//     RIGHT_BY_DEPTH): left_start and right_start are for a loop over the depth to keep, for no
//     compiler of a software adapter takes them out of it. See left_rows.wgsl and its like;
//   - an epilogue, which takes results four columns at a time in `finish`, where it adds, activates or
//     updates before it stores, and the left side's sums in `finish_sums`: see finish_weight.wgsl and
//     its like;
//   - a variant, whose `multiply` cuts the work: lanes.wgsl, registers.wgsl or tiled.wgsl. The host
//     says which one product/VARIANT is.
//
// Rows begin at quads (four floats) and are padded with zeros. Past an edge the last row or quad is
// read again, and what comes of it is never stored.
#import shared/padding

// Read from the parameters once: in a loop, software adapters read a uniform lane by lane.
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

// Row and column where tile number `tile` begins, row by row of tiles.
fn tile_corner(p: Product, tile: u32, height: u32, width: u32) -> vec2<u32> {
    let across = (p.width + width - 1u) / width;
    return vec2(tile / across * height, tile % across * width);
}

// Four columns of a row, zero in the padding.
fn without_padding(p: Product, column: u32, value: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), value, vec4(column) + FOUR < vec4(p.width));
}
