// Standard normal noise, a pure function of seed, stream, step and index.
#import shared/index
#import shared/rng
#import shared/state

struct Params { count: u32, seed_low: u32, seed_high: u32, stream: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read_write> epsilon: array<f32>;

// Each invocation fills four elements from one draw.
@compute @workgroup_size(64)
fn normal(invocation: Invocation) {
    let i = element(invocation);
    let key = vec4(params.seed_low, params.seed_high, 0u, params.stream);
    let values = normals(threefry(vec4(i, state.step, 0u, 0u), key));
    for (var j = 0u; j < 4u && 4u * i + j < params.count; j++) {
        epsilon[4u * i + j] = values[j];
    }
}
