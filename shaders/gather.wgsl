// The input of a step: x[b, p] = images[order[row + b], p] / 255 from the packed dataset, and
// standard normal noise, a pure function of seed, stream, step and index.
struct Params {
    rows: u32,
    pixels: u32,
    row_quads: u32, // of x
    words: u32,     // of images
    noise: u32,     // elements of epsilon to fill
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> images: array<u32>;         // (count, pixels) bytes, four a word
@group(0) @binding(3) var<storage, read> order: array<u32>;          // (count)
@group(0) @binding(4) var<storage, read_write> x: array<vec4<f32>>;  // (rows, pixels), padded
@group(0) @binding(5) var<storage, read_write> epsilon: array<f32>;

// Four bytes from byte `at` on.
fn four_bytes(at: u32, words: u32) -> vec4<u32> {
    let low = images[at / 4u];
    let high = images[min(at / 4u + 1u, words - 1u)];
    let shift = 8u * (at % 4u);
    let word = select((low >> shift) | (high << (32u - shift)), low, shift == 0u);
    return (vec4(word) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u);
}

// One invocation for four pixels, or for four elements of the noise.
@compute @workgroup_size(64)
fn batch(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    // Before any branch, where software adapters read a uniform once for all lanes.
    let p = params;
    let row = state.row;
    let step = state.step;
    let quads = p.rows * p.row_quads;
    if i < quads {
        let column = i % p.row_quads * 4u;
        let image = order[row + i / p.row_quads];
        let bytes = vec4<f32>(four_bytes(image * p.pixels + column, p.words)) / 255.0;
        x[i] = select(vec4(0.0), bytes, vec4(column) + vec4(0u, 1u, 2u, 3u) < vec4(p.pixels));
        return;
    }
    let first = 4u * (i - quads);
    if first < p.noise {
        let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
        let values = normals(threefry(vec4(i - quads, step, 0u, 0u), key));
        for (var j = 0u; j < 4u && first + j < p.noise; j++) {
            epsilon[first + j] = values[j];
        }
    }
}
