// result (height, width) = left (height, depth) · right (depth, width), the frame of every matrix
// product here. It is completed by
//   - a form, which declares `left` and `right`, says how they lie (LEFT_BY_DEPTH, RIGHT_BY_DEPTH),
//     and takes results four columns at a time in `finish`, where it adds, activates, compares or
//     updates before it stores;
//   - a variant, whose `multiply` cuts the work: see lanes.wgsl, registers.wgsl, tiled.wgsl.
//
// Rows begin at quads (four floats) and are padded with zeros. Past an edge the last row or quad is
// read again, and what comes of it is never stored.
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

const FOUR = vec4(0u, 1u, 2u, 3u);

// Where rows row to row + 3 of the left side lie. For a loop over the depth to keep: no compiler of
// a software adapter takes it out of the loop.
fn left_start(p: Product, row: u32) -> vec4<u32> {
    if LEFT_BY_DEPTH == 1u {
        return p.left + min(vec4(row) + FOUR, vec4(p.height - 1u)) * p.left_row;
    }
    return vec4(p.left + min(row / 4u, p.left_row - 1u));
}

// Their depths k to k + 3.
fn left_block(p: Product, start: vec4<u32>, k: u32) -> Block {
    if LEFT_BY_DEPTH == 1u {
        let at = start + k / 4u;
        return Block(left[at.x], left[at.y], left[at.z], left[at.w]);
    }
    // Depths are rows, which have no padding: past the last one there is nothing to add.
    let depths = vec4(k) + FOUR;
    let at = start + min(depths, vec4(p.depth - 1u)) * p.left_row;
    let zero = vec4(0.0);
    let exists = depths < vec4(p.depth);
    return transpose(Block(
        select(zero, left[at.x], exists.x),
        select(zero, left[at.y], exists.y),
        select(zero, left[at.z], exists.z),
        select(zero, left[at.w], exists.w),
    ));
}

// Where columns column to column + 3 of the right side lie.
fn right_start(p: Product, column: u32) -> vec4<u32> {
    if RIGHT_BY_DEPTH == 1u {
        return p.right + right_rows(p, column) * p.right_row;
    }
    return vec4(p.right + min(column / 4u, p.right_row - 1u));
}

// Their depths k to k + 3.
fn right_block(p: Product, start: vec4<u32>, k: u32) -> Block {
    if RIGHT_BY_DEPTH == 1u {
        let at = start + k / 4u;
        return transpose(Block(right[at.x], right[at.y], right[at.z], right[at.w]));
    }
    let at = start + min(vec4(k) + FOUR, vec4(p.depth - 1u)) * p.right_row;
    return Block(right[at.x], right[at.y], right[at.z], right[at.w]);
}

// Row and column where tile number `tile` begins, row by row of tiles.
fn corner(p: Product, tile: u32, height: u32, width: u32) -> vec2<u32> {
    let across = (p.width + width - 1u) / width;
    return vec2(tile / across * height, tile % across * width);
}

// Four columns of a row, zero in the padding.
fn within(p: Product, column: u32, value: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), value, vec4(column) + FOUR < vec4(p.width));
}
