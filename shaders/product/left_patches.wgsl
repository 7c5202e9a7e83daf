// The left side as patches of a map.
#import product/frame
#import product/patches

const LEFT_BY_DEPTH = 1u;

alias LeftStart = Places;

// The positions of patches row to row + 3.
fn left_start(p: Product, row: u32) -> LeftStart {
    return places(patches, min(vec4(row) + FOUR, vec4(p.height - 1u)));
}

// Their depths k to k + 3, which are channels of one tap: zero outside of the map.
fn left_block(p: Product, start: LeftStart, k: u32) -> Block {
    let tap = tap(patches, k / 4u);
    let exists = inside(patches, start, tap);
    let at = select(vec4(0), start.at + tap.at, exists);
    let zero = vec4(0.0);
    return Block(
        select(zero, left[at.x], exists.x),
        select(zero, left[at.y], exists.y),
        select(zero, left[at.z], exists.z),
        select(zero, left[at.w], exists.w),
    );
}
