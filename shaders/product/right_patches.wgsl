// The right side as patches of a map, which are the depths.
#import product/frame
#import product/patches

const RIGHT_BY_DEPTH = 0u;

alias RightStart = Tap;

// The position of columns column to column + 3, which are channels of one tap.
fn right_start(p: Product, column: u32) -> RightStart {
    return tap(patches, min(column, p.width - 1u) / 4u);
}

// Their values in patches k to k + 3: zero outside of the map.
fn right_block(p: Product, start: RightStart, k: u32) -> Block {
    let places = places(patches, p.right + min(vec4(k) + FOUR, vec4(p.depth - 1u)));
    let exists = inside(patches, places, start);
    let at = select(vec4(0), places.at + start.at, exists);
    let zero = vec4(0.0);
    return Block(
        select(zero, right[at.x], exists.x),
        select(zero, right[at.y], exists.y),
        select(zero, right[at.z], exists.z),
        select(zero, right[at.w], exists.w),
    );
}
