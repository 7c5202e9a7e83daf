// The right side's columns as rows of a matrix.
#import product/frame

const RIGHT_BY_DEPTH = 1u;

alias RightStart = vec4<u32>;

// The positions of columns column to column + 3.
fn right_start(p: Product, column: u32) -> RightStart {
    return p.right + min(vec4(column) + FOUR, vec4(p.width - 1u)) * p.right_row;
}

// Their depths k to k + 3.
fn right_block(p: Product, start: RightStart, k: u32) -> Block {
    let at = start + k / 4u;
    return transpose(Block(right[at.x], right[at.y], right[at.z], right[at.w]));
}
