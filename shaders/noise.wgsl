// Standard normal noise, a pure function of seed, stream, step, number and index.
#import shared/index
#import shared/rng
#import shared/state

struct Params {
    count: u32,     // elements to fill
    columns: u32,   // in a row
    stride: u32,    // elements from row to row
    number: u32,    // of the draw, among those of a step
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read_write> epsilon: array<f32>; // (rows, columns), padded by zeros

// Each invocation fills four elements from one draw.
@compute @workgroup_size(64)
fn normal(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
    let values = normals(threefry(vec4(i, state.step, p.number, 0u), key));
    for (var j = 0u; j < 4u && 4u * i + j < p.count; j++) {
        let row = (4u * i + j) / p.columns;
        let column = 4u * i + j - row * p.columns;
        epsilon[row * p.stride + column] = values[j];
        for (var pad = p.columns; column + 1u == p.columns && pad < p.stride; pad++) {
            epsilon[row * p.stride + pad] = 0.0;
        }
    }
}
