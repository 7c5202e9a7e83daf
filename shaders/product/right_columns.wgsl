// The right side as columns of a matrix, whose rows are the depths.
#import product/frame

const RIGHT_BY_DEPTH = 0u;

alias RightStart = u32;

// The position of columns column to column + 3.
fn right_start(p: Product, column: u32) -> RightStart {
    return p.right + min(column / 4u, p.right_row - 1u);
}

// Their depths k to k + 3.
fn right_block(p: Product, start: RightStart, k: u32) -> Block {
    let at = start + min(vec4(k) + FOUR, vec4(p.depth - 1u)) * p.right_row;
    return Block(right[at.x], right[at.y], right[at.z], right[at.w]);
}
