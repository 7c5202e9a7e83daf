// The left side as columns of a matrix, whose rows are the depths.
#import product/frame

const LEFT_BY_DEPTH = 0u;

alias LeftStart = u32;

// The position of rows row to row + 3.
fn left_start(p: Product, row: u32) -> LeftStart {
    return p.left + min(row / 4u, p.left_row - 1u);
}

// Their depths k to k + 3. Depths have no padding in memory, so that those past the last are
// zeroed.
fn left_block(p: Product, start: LeftStart, k: u32) -> Block {
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
