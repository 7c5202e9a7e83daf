// For adapters that run a workgroup as one vector of LANES and pay for every load: each lane loads
// blocks of its own, and the left ones are handed round. No workgroup memory; a tile is
// 4·LANES·ROWS × 4·LANES·COLS.
const ALONG = 4u * LANES;
const INVOCATIONS = LANES;
const TILES = 1u; // of a workgroup
const PARTIALS = 1u;

alias Tile = array<array<vec4<f32>, 4 * LANES>, ROWS * COLS>;

// Adds the products of one depth. `i` is a literal, so that no array is indexed at run time.
fn add_depth(
    tile: ptr<function, Tile>,
    lefts: ptr<function, array<Block, ROWS>>,
    rights: ptr<function, array<Block, COLS>>,
    i: u32,
) {
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < 4u; c++) {
            for (var l = 0u; l < LANES; l++) {
                let scale = subgroupShuffle((*lefts)[r][c][i], l);
                for (var q = 0u; q < COLS; q++) {
                    (*tile)[r * COLS + q][4u * l + c] += scale * (*rights)[q][i];
                }
            }
        }
    }
}

fn multiply(p: Product, number: u32, lane: u32) {
    let at = corner(p, number, ALONG * ROWS, ALONG * COLS);
    var tile: Tile;
    var sums: array<vec4<f32>, ROWS>;
    for (var k = 0u; k < params.depth; k += 4u) {
        var lefts: array<Block, ROWS>;
        var rights: array<Block, COLS>;
        for (var r = 0u; r < ROWS; r++) {
            lefts[r] = left_block(p, at.x + r * ALONG + 4u * lane, k);
            sums[r] += vec4(1.0) * lefts[r];
        }
        for (var q = 0u; q < COLS; q++) {
            rights[q] = right_block(p, k, at.y + q * ALONG + 4u * lane);
        }
        add_depth(&tile, &lefts, &rights, 0u);
        add_depth(&tile, &lefts, &rights, 1u);
        add_depth(&tile, &lefts, &rights, 2u);
        add_depth(&tile, &lefts, &rights, 3u);
    }
    for (var r = 0u; r < ROWS; r++) {
        let row = at.x + r * ALONG + 4u * lane;
        if at.y == 0u && row < p.height {
            finish_sums(p, row, sums[r]);
        }
        for (var q = 0u; q < COLS; q++) {
            // A copy, to be indexed in a loop that stays one: unrolled, an epilogue takes long to
            // compile.
            var staged = tile[r * COLS + q];
            let column = at.y + q * ALONG + 4u * lane;
            let first = at.x + r * ALONG;
            let end = select(0u, min(p.height, first + ALONG), column < p.width);
            begin_column(p, column);
            for (var row = first; row < end; row++) {
                finish(p, row, column, staged[row - first]);
            }
        }
    }
}

// The sum over the workgroup, in its first PARTIALS lanes.
fn reduce(lane: u32, value: f32) -> f32 {
    return subgroupAdd(value);
}
