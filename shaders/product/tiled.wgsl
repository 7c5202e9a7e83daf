// The variant for GPUs: a workgroup loads tiles of both sides, DEPTH deep, into its memory, and
// each invocation keeps 4·ROWS × 4·COLS results in registers. Small products, whose tiles are too
// few to fill the GPU, are cut along the depth as well: SLICES groups of invocations take turns at
// the depth, and their results are added in order at the end.
#import product/frame

const THREADS = DOWN * ACROSS;
const INVOCATIONS = THREADS * SLICES;
const TILES = 1u; // of a workgroup
const HEIGHT = 4u * ROWS * DOWN;
const WIDTH = 4u * COLS * ACROSS;
const LEFT_QUADS = HEIGHT / 4u;
const RIGHT_QUADS = WIDTH / 4u;
const BLOCKS = DEPTH / 4u * (LEFT_QUADS + RIGHT_QUADS);
const FETCHED = (BLOCKS + THREADS - 1u) / THREADS; // blocks an invocation loads at a time

var<workgroup> lefts: array<vec4<f32>, SLICES * DEPTH * LEFT_QUADS>;   // [slice][depth][row]
var<workgroup> rights: array<vec4<f32>, SLICES * DEPTH * RIGHT_QUADS>; // [slice][depth][column]
var<workgroup> partial: array<vec4<f32>, (SLICES - 1u) * COLS * THREADS + 1u>;
var<workgroup> whole_depth: u32;
var<workgroup> partial_sums: array<vec4<f32>, (SLICES - 1u) * ROWS * DOWN + 1u>;

// Depth (x) and row or column (y), in fours, of a block: neighbouring invocations load blocks that
// are neighbours in memory.
fn block_place(block: u32, quads: u32, by_depth: u32) -> vec2<u32> {
    if by_depth == 1u {
        return vec2(block % (DEPTH / 4u), block / (DEPTH / 4u));
    }
    return vec2(block / quads, block % quads);
}

// Block number `block` of the tiles at depth `k`; [depth][row] of the left, [depth][column] of the
// right.
fn fetch(p: Product, at: vec2<u32>, k: u32, block: u32) -> Block {
    if block < DEPTH / 4u * LEFT_QUADS {
        let to = block_place(block, LEFT_QUADS, LEFT_BY_DEPTH);
        if k + 4u * to.x < p.depth {
            return transpose(left_block(p, left_start(p, at.x + 4u * to.y), k + 4u * to.x));
        }
    } else if block < BLOCKS {
        let to = block_place(block - DEPTH / 4u * LEFT_QUADS, RIGHT_QUADS, RIGHT_BY_DEPTH);
        if k + 4u * to.x < p.depth {
            return right_block(p, right_start(p, at.y + 4u * to.y), k + 4u * to.x);
        }
    }
    return Block();
}

fn keep(slice: u32, block: u32, value: Block) {
    if block < DEPTH / 4u * LEFT_QUADS {
        let to = block_place(block, LEFT_QUADS, LEFT_BY_DEPTH);
        let first = (slice * DEPTH + 4u * to.x) * LEFT_QUADS + to.y;
        for (var i = 0u; i < 4u; i++) {
            lefts[first + i * LEFT_QUADS] = value[i];
        }
    } else if block < BLOCKS {
        let to = block_place(block - DEPTH / 4u * LEFT_QUADS, RIGHT_QUADS, RIGHT_BY_DEPTH);
        let first = (slice * DEPTH + 4u * to.x) * RIGHT_QUADS + to.y;
        for (var i = 0u; i < 4u; i++) {
            rights[first + i * RIGHT_QUADS] = value[i];
        }
    }
}

fn multiply(p: Product, number: u32, lane: u32) {
    let at = tile_corner(p, number, HEIGHT, WIDTH);
    let slice = lane / THREADS;
    let thread = lane % THREADS;
    let down = thread / ACROSS;
    let across = thread % ACROSS;
    // Browsers must be able to prove that all invocations leave a loop with barriers at once.
    if lane == 0u {
        whole_depth = p.depth;
    }
    let depth = workgroupUniformLoad(&whole_depth);
    var tile: array<array<vec4<f32>, COLS>, 4 * ROWS>;
    var sums: array<vec4<f32>, ROWS>;
    var fetched: array<Block, FETCHED>;
    for (var f = 0u; f < FETCHED; f++) {
        fetched[f] = fetch(p, at, slice * DEPTH, f * THREADS + thread);
    }
    for (var k = 0u; k < depth; k += SLICES * DEPTH) {
        workgroupBarrier(); // all invocations are done with the former tiles
        for (var f = 0u; f < FETCHED; f++) {
            keep(slice, f * THREADS + thread, fetched[f]);
        }
        workgroupBarrier();
        // The next tiles are loaded while these are multiplied.
        for (var f = 0u; f < FETCHED; f++) {
            fetched[f] = fetch(p, at, k + (SLICES + slice) * DEPTH, f * THREADS + thread);
        }
        for (var d = 0u; d < DEPTH; d++) {
            var b: array<vec4<f32>, COLS>;
            for (var q = 0u; q < COLS; q++) {
                b[q] = rights[(slice * DEPTH + d) * RIGHT_QUADS + q * ACROSS + across];
            }
            for (var r = 0u; r < ROWS; r++) {
                let a = lefts[(slice * DEPTH + d) * LEFT_QUADS + r * DOWN + down];
                sums[r] += a;
                for (var q = 0u; q < COLS; q++) {
                    tile[4u * r][q] += a.x * b[q];
                    tile[4u * r + 1u][q] += a.y * b[q];
                    tile[4u * r + 2u][q] += a.z * b[q];
                    tile[4u * r + 3u][q] += a.w * b[q];
                }
            }
        }
    }
    // One row of blocks at a time, so that the workgroup's memory stays small.
    for (var r = 0u; r < ROWS && SLICES > 1u; r++) {
        for (var i = 0u; i < 4u; i++) {
            workgroupBarrier();
            if slice > 0u {
                for (var q = 0u; q < COLS; q++) {
                    partial[((slice - 1u) * COLS + q) * THREADS + thread] = tile[4u * r + i][q];
                }
                if i == 0u && across == 0u {
                    partial_sums[((slice - 1u) * ROWS + r) * DOWN + down] = sums[r];
                }
            }
            workgroupBarrier();
            for (var s = 0u; s < SLICES - 1u; s++) {
                for (var q = 0u; q < COLS; q++) {
                    tile[4u * r + i][q] += partial[(s * COLS + q) * THREADS + thread];
                }
                if i == 0u {
                    sums[r] += partial_sums[(s * ROWS + r) * DOWN + down];
                }
            }
        }
    }
    if slice > 0u {
        return;
    }
    for (var r = 0u; r < ROWS; r++) {
        let row = at.x + 4u * (r * DOWN + down);
        if at.y + across == 0u && row < p.height {
            finish_sums(p, row, sums[r]);
        }
    }
    for (var q = 0u; q < COLS; q++) {
        let column = at.y + 4u * (q * ACROSS + across);
        begin_column(p, column);
        for (var r = 0u; r < ROWS; r++) {
            let row = at.x + 4u * (r * DOWN + down);
            let rows = result_rows(p, row);
            for (var i = 0u; i < 4u; i++) {
                if row + i < p.height && column < p.width {
                    finish(p, rows[i], column, tile[4u * r + i][q]);
                }
            }
        }
    }
}
