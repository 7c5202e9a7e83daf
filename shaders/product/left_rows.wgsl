// The left side as rows of a matrix.
#import product/frame

const LEFT_BY_DEPTH = 1u;

alias LeftStart = vec4<u32>;

// The positions of rows row to row + 3.
fn left_start(p: Product, row: u32) -> LeftStart {
    return p.left + min(vec4(row) + FOUR, vec4(p.height - 1u)) * p.left_row;
}

// Their depths k to k + 3.
fn left_block(p: Product, start: LeftStart, k: u32) -> Block {
    let at = start + k / 4u;
    return Block(left[at.x], left[at.y], left[at.z], left[at.w]);
}
