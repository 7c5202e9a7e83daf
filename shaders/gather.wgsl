// A batch from the packed dataset: x[b, p] = images[order[row + b], p] / 255.
struct Params { rows: u32, pixels: u32, pad0: u32, pad1: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> images: array<u32>;  // (count, pixels) bytes, four a word
@group(0) @binding(3) var<storage, read> order: array<u32>;   // (count)
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // (rows, pixels)

@compute @workgroup_size(64)
fn batch(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i >= params.rows * params.pixels {
        return;
    }
    let image = order[state.row + i / params.pixels];
    let at = image * params.pixels + i % params.pixels;
    let byte = (images[at / 4u] >> (8u * (at % 4u))) & 255u;
    x[i] = f32(byte) / 255.0;
}
