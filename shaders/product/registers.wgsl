// The variant for software adapters without subgroups: every invocation keeps a tile of
// 4·ROWS × 4·COLS in registers and sums over the whole depth.
#import product/frame

const INVOCATIONS = LANES;
const TILES = LANES; // of a workgroup

// A tile on its way to the epilogue: with an array in memory, the loop over the epilogue need not
// be unrolled, which saves compilation time.
var<workgroup> staged: array<vec4<f32>, 4 * ROWS * LANES>;

fn multiply(p: Product, number: u32, lane: u32) {
    let at = tile_corner(p, number * LANES + lane, 4u * ROWS, 4u * COLS);
    var tile: array<array<Block, COLS>, ROWS>;
    var sums: array<vec4<f32>, ROWS>;
    var left_starts: array<LeftStart, ROWS>;
    var right_starts: array<RightStart, COLS>;
    for (var r = 0u; r < ROWS; r++) {
        left_starts[r] = left_start(p, at.x + 4u * r);
    }
    for (var q = 0u; q < COLS; q++) {
        right_starts[q] = right_start(p, at.y + 4u * q);
    }
    for (var k = 0u; k < p.depth; k += 4u) {
        var rights: array<Block, COLS>;
        for (var q = 0u; q < COLS; q++) {
            rights[q] = right_block(p, right_starts[q], k);
        }
        for (var r = 0u; r < ROWS; r++) {
            let left = left_block(p, left_starts[r], k);
            sums[r] += vec4(1.0) * left;
            for (var q = 0u; q < COLS; q++) {
                tile[r][q] += rights[q] * left;
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        if at.y == 0u && at.x + 4u * r < p.height {
            finish_sums(p, at.x + 4u * r, sums[r]);
        }
    }
    var rows: array<u32, 4 * ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        let four = result_rows(p, at.x + 4u * r);
        for (var i = 0u; i < 4u; i++) {
            rows[4u * r + i] = four[i];
        }
    }
    for (var q = 0u; q < COLS; q++) {
        for (var r = 0u; r < ROWS; r++) {
            for (var i = 0u; i < 4u; i++) {
                staged[(4u * r + i) * LANES + lane] = tile[r][q][i];
            }
        }
        let column = at.y + 4u * q;
        let end = select(0u, min(p.height, at.x + 4u * ROWS), column < p.width);
        begin_column(p, column);
        for (var row = at.x; row < end; row++) {
            let i = row - at.x;
            finish(p, rows[i], column, staged[i * LANES + lane]);
        }
    }
}
