// The variant for adapters that run a workgroup as one vector of LANES elements and on which loads
// are slow: each lane loads blocks of its own, and subgroup shuffles give the left ones to all
// lanes. A tile is 4·LANES·ROWS × 4·LANES, with ROWS 1 or 2.
#import product/frame

#if BROWSER
enable subgroups;
// A workgroup is one subgroup, all of whose lanes reach every shuffle, which browsers cannot prove.
diagnostic(off, subgroup_uniformity);
#endif

const ALONG = 4u * LANES;
const INVOCATIONS = LANES;
const TILES = 1u; // of a workgroup

// A tile on its way to the epilogue: with an array in memory, the loop over the epilogue need not
// be unrolled, which saves compilation time.
var<workgroup> staged: array<vec4<f32>, ALONG * LANES>;

alias Tile = array<vec4<f32>, ALONG>;

// Adds the products of row `c` of every lane's left block. `c` is a literal, so that no array is
// indexed at run time, and a loop of LANES rounds is short enough to be unrolled.
fn add_rows(tile: ptr<function, Tile>, left: ptr<function, Block>, right: Block, c: u32) {
    for (var l = 0u; l < LANES; l++) {
        let row = (*left)[c];
        var sum = (*tile)[4u * l + c];
        sum += subgroupShuffle(row.x, l) * right[0];
        sum += subgroupShuffle(row.y, l) * right[1];
        sum += subgroupShuffle(row.z, l) * right[2];
        sum += subgroupShuffle(row.w, l) * right[3];
        (*tile)[4u * l + c] = sum;
    }
}

fn add_block(tile: ptr<function, Tile>, left: ptr<function, Block>, right: Block) {
    add_rows(tile, left, right, 0u);
    add_rows(tile, left, right, 1u);
    add_rows(tile, left, right, 2u);
    add_rows(tile, left, right, 3u);
}

fn finish_tile(p: Product, at: vec2<u32>, lane: u32, tile: ptr<function, Tile>, sums: vec4<f32>) {
    if at.y == 0u && at.x + 4u * lane < p.height {
        finish_sums(p, at.x + 4u * lane, sums);
    }
    for (var i = 0u; i < ALONG; i++) {
        staged[i * LANES + lane] = (*tile)[i];
    }
    let column = at.y + 4u * lane;
    let count = min(ALONG, max(p.height, at.x) - at.x);
    let rows = result_rows(p, at.x + 4u * lane);
    begin_column(p, column);
    for (var i = 0u; i < count; i++) {
        let row = subgroupShuffle(rows[i % 4u], i / 4u);
        if column < p.width {
            finish(p, row, column, staged[i * LANES + lane]);
        }
    }
}

fn multiply(p: Product, number: u32, lane: u32) {
    let upper = tile_corner(p, number, ROWS * ALONG, ALONG);
    let lower = upper + vec2(ALONG, 0u);
    let upper_left = left_start(p, upper.x + 4u * lane);
    let lower_left = left_start(p, lower.x + 4u * lane);
    let right_at = right_start(p, upper.y + 4u * lane);
    var upper_tile: Tile;
    var lower_tile: Tile;
    var upper_sums: vec4<f32>;
    var lower_sums: vec4<f32>;
    for (var k = 0u; k < p.depth; k += 4u) {
        let right = right_block(p, right_at, k);
        var left = left_block(p, upper_left, k);
        upper_sums += vec4(1.0) * left;
        add_block(&upper_tile, &left, right);
        if ROWS == 2u {
            left = left_block(p, lower_left, k);
            lower_sums += vec4(1.0) * left;
            add_block(&lower_tile, &left, right);
        }
    }
    finish_tile(p, upper, lane, &upper_tile, upper_sums);
    if ROWS == 2u {
        finish_tile(p, lower, lane, &lower_tile, lower_sums);
    }
}
