// Sums of parts, stored: see shared/sums.wgsl.
struct Params { sums: Sums }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

fn finish(at: u32, sum: vec4<f32>) {
    result[at] = sum;
}
