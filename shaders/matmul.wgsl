// The three products of a linear layer, in PyTorch's layout (row-major, contiguous):
//
//   forward          y (batch, outputs)        = x (batch, inputs) · weightᵀ + bias
//   backward_input   dx (batch, inputs)        = dy (batch, outputs) · weight
//   backward_weight  dweight (outputs, inputs) = dyᵀ · x,  dbias (outputs) = column sums of dy
//
// An invocation keeps a tile of 4·ROWS × 4·COLS results in registers and walks the whole depth in
// order: no workgroup memory, no atomics, one order of summation. Loads are what costs, and a
// larger tile needs fewer of them. Tiles are numbered row by row, so that thin results fill the
// lanes too.

override LANES: u32 = 64u;      // invocations in a workgroup
override ROWS: u32 = 2u;        // 4×4 blocks down a tile, 1 to 4
override COLS: u32 = 2u;        // 4×4 blocks across a tile, 1 or 2
override VECTOR: bool = false;  // whether inputs and outputs are multiples of 4

struct Params { batch: u32, inputs: u32, outputs: u32, pad: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;      // x, dy or dy
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;      // weight, weight or x
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>; // y, dx or dweight
@group(0) @binding(5) var<storage, read_write> dbias: array<f32>;

alias Block = mat4x4<f32>;              // block[i][j]: row i, column j
alias Tile = array<array<Block, 2>, 4>; // tile[r][c]: block row r, block column c

// Row and column where the invocation's tile begins. Past the last tile the row is past the end:
// such an invocation works on clamped rows, like any edge, and stores nothing.
fn corner(tile: u32, columns: u32) -> vec2<u32> {
    let across = (columns + 4u * COLS - 1u) / (4u * COLS);
    return 4u * vec2(tile / across * ROWS, tile % across * COLS);
}

// Four neighbouring rows; past the end, the last one again.
fn four(first: u32, count: u32) -> vec4<u32> {
    return min(first + vec4(0u, 1u, 2u, 3u), vec4(count - 1u));
}

// Where four neighbouring columns of a row lie, and which of them exist.
struct Quad { at: vec4<u32>, exists: vec4<bool> }

fn quad(row: u32, first: u32, width: u32) -> Quad {
    let columns = first + vec4(0u, 1u, 2u, 3u);
    return Quad(row * width + min(columns, vec4(width - 1u)), columns < vec4(width));
}

// Columns first to first + 3 of a row of a; zero past its end, except where VECTOR, when a quad is
// wholly within the row or wholly past it and what lies there is never stored.
fn load_a(row: u32, first: u32, width: u32) -> vec4<f32> {
    if VECTOR { return a[(row * width + min(first, width - 4u)) / 4u]; }
    let q = quad(row, first, width);
    let i = q.at / 4u;
    let j = q.at % 4u;
    return select(vec4(0.0), vec4(a[i.x][j.x], a[i.y][j.y], a[i.z][j.z], a[i.w][j.w]), q.exists);
}

fn load_b(row: u32, first: u32, width: u32) -> vec4<f32> {
    if VECTOR { return b[(row * width + min(first, width - 4u)) / 4u]; }
    let q = quad(row, first, width);
    let i = q.at / 4u;
    let j = q.at % 4u;
    return select(vec4(0.0), vec4(b[i.x][j.x], b[i.y][j.y], b[i.z][j.z], b[i.w][j.w]), q.exists);
}

// The same columns of four rows.
fn block_a(rows: vec4<u32>, first: u32, width: u32) -> Block {
    return Block(
        load_a(rows.x, first, width),
        load_a(rows.y, first, width),
        load_a(rows.z, first, width),
        load_a(rows.w, first, width),
    );
}

fn block_b(rows: vec4<u32>, first: u32, width: u32) -> Block {
    return Block(
        load_b(rows.x, first, width),
        load_b(rows.y, first, width),
        load_b(rows.z, first, width),
        load_b(rows.w, first, width),
    );
}

fn outer(left: vec4<f32>, right: vec4<f32>) -> Block {
    return Block(left.x * right, left.y * right, left.z * right, left.w * right);
}

fn store(at: vec2<u32>, value: Tile, height: u32, width: u32) {
    var tile = value;
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < COLS; c++) {
            // Block by block: llvmpipe unrolls no longer loops, and indexes rolled ones slowly.
            var block = tile[r][c];
            for (var i = 0u; i < 4u; i++) {
                for (var j = 0u; j < 4u; j++) {
                    let to = at + vec2(4u * r + i, 4u * c + j);
                    if to.x < height && to.y < width {
                        result[to.x * width + to.y] = block[i][j];
                    }
                }
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(flat_group(group, groups) * LANES + lane, params.outputs);
    var tile: Tile;
    for (var c = 0u; c < COLS; c++) {
        let o = four(at.y + 4u * c, params.outputs);
        let row = vec4(bias[o.x], bias[o.y], bias[o.z], bias[o.w]);
        for (var r = 0u; r < ROWS; r++) {
            tile[r][c] = Block(row, row, row, row);
        }
    }
    var right: array<Block, 2>;
    for (var k = 0u; k < params.inputs; k += 4u) {
        for (var c = 0u; c < COLS; c++) {
            right[c] = transpose(block_b(four(at.y + 4u * c, params.outputs), k, params.inputs));
        }
        for (var r = 0u; r < ROWS; r++) {
            let left = block_a(four(at.x + 4u * r, params.batch), k, params.inputs);
            for (var c = 0u; c < COLS; c++) {
                tile[r][c] += right[c] * left;
            }
        }
    }
    store(at, tile, params.batch, params.outputs);
}

@compute @workgroup_size(LANES)
fn backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(flat_group(group, groups) * LANES + lane, params.inputs);
    var tile: Tile;
    var right: array<Block, 2>;
    for (var k = 0u; k < params.outputs; k += 4u) {
        for (var c = 0u; c < COLS; c++) {
            right[c] = block_b(four(k, params.outputs), at.y + 4u * c, params.inputs);
        }
        for (var r = 0u; r < ROWS; r++) {
            let left = block_a(four(at.x + 4u * r, params.batch), k, params.outputs);
            for (var c = 0u; c < COLS; c++) {
                tile[r][c] += right[c] * left;
            }
        }
    }
    store(at, tile, params.batch, params.inputs);
}

@compute @workgroup_size(LANES)
fn backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(flat_group(group, groups) * LANES + lane, params.inputs);
    var tile: Tile;
    var sums: array<vec4<f32>, 4>;
    var right: array<vec4<f32>, 2>;
    for (var k = 0u; k < params.batch; k++) {
        for (var c = 0u; c < COLS; c++) {
            right[c] = load_b(k, at.y + 4u * c, params.inputs);
        }
        for (var r = 0u; r < ROWS; r++) {
            let left = load_a(k, at.x + 4u * r, params.outputs);
            sums[r] += left;
            for (var c = 0u; c < COLS; c++) {
                tile[r][c] += outer(left, right[c]);
            }
        }
    }
    for (var r = 0u; at.y == 0u && r < ROWS; r++) {
        var sum = sums[r];
        for (var i = 0u; i < 4u; i++) {
            if at.x + 4u * r + i < params.outputs {
                dbias[at.x + 4u * r + i] = sum[i];
            }
        }
    }
    store(at, tile, params.outputs, params.inputs);
}
