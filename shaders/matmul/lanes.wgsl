// For adapters that run a workgroup as one vector of LANES and pay for every load: each lane loads
// blocks of its own, and the left ones are handed round. A tile is 4·LANES × 4·LANES·COLS.
const ALONG = 4u * LANES;
const INVOCATIONS = LANES;
const TILES = 1u; // of a workgroup
const PARTIALS = 1u;

// A tile on its way to the epilogue, which is short to compile in a loop that stays one.
var<workgroup> staged: array<vec4<f32>, ALONG * LANES>;

alias Tile = array<array<vec4<f32>, ALONG>, COLS>;

// Adds the products of row `c` of every lane's left block. It is a literal, so that no array is
// indexed at run time, and a loop of LANES is short enough to be unrolled.
fn add_rows(
    tile: ptr<function, Tile>,
    left: ptr<function, Block>,
    rights: ptr<function, array<Block, COLS>>,
    c: u32,
) {
    for (var l = 0u; l < LANES; l++) {
        let row = (*left)[c];
        let x = subgroupShuffle(row.x, l);
        let y = subgroupShuffle(row.y, l);
        let z = subgroupShuffle(row.z, l);
        let w = subgroupShuffle(row.w, l);
        for (var q = 0u; q < COLS; q++) {
            var sum = (*tile)[q][4u * l + c];
            sum += x * (*rights)[q][0];
            sum += y * (*rights)[q][1];
            sum += z * (*rights)[q][2];
            sum += w * (*rights)[q][3];
            (*tile)[q][4u * l + c] = sum;
        }
    }
}

fn multiply(p: Product, number: u32, lane: u32) {
    let at = corner(p, number, ALONG, ALONG * COLS);
    var tile: Tile;
    var sums: vec4<f32>;
    let left_at = left_start(p, at.x + 4u * lane);
    var right_at: array<vec4<u32>, COLS>;
    for (var q = 0u; q < COLS; q++) {
        right_at[q] = right_start(p, at.y + q * ALONG + 4u * lane);
    }
    for (var k = 0u; k < params.depth; k += 4u) {
        var left = left_block(p, left_at, k);
        sums += vec4(1.0) * left;
        var rights: array<Block, COLS>;
        for (var q = 0u; q < COLS; q++) {
            rights[q] = right_block(p, right_at[q], k);
        }
        add_rows(&tile, &left, &rights, 0u);
        add_rows(&tile, &left, &rights, 1u);
        add_rows(&tile, &left, &rights, 2u);
        add_rows(&tile, &left, &rights, 3u);
    }
    if at.y == 0u && at.x + 4u * lane < p.height {
        finish_sums(p, at.x + 4u * lane, sums);
    }
    for (var q = 0u; q < COLS; q++) {
        for (var i = 0u; i < ALONG; i++) {
            staged[i * LANES + lane] = tile[q][i];
        }
        let column = at.y + q * ALONG + 4u * lane;
        let end = select(0u, min(p.height, at.x + ALONG), column < p.width);
        begin_column(p, column);
        for (var row = at.x; row < end; row++) {
            finish(p, row, column, staged[(row - at.x) * LANES + lane]);
        }
    }
}

// The sum over the workgroup, in its first PARTIALS lanes.
fn reduce(lane: u32, value: f32) -> f32 {
    return subgroupAdd(value);
}
