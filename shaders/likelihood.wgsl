// Reconstruction losses, value and gradient together; KIND is the position in
// ops::likelihood::NAMES.
override KIND: u32;

struct Params { rows: u32, pixels: u32, pad0: u32, pad1: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;             // (rows, pixels)
@group(0) @binding(2) var<storage, read> output: array<f32>;        // (rows, pixels)
@group(0) @binding(3) var<storage, read_write> recon: array<f32>;   // (rows), nats
@group(0) @binding(4) var<storage, read_write> doutput: array<f32>; // (rows, pixels)

// Loss of one pixel and its derivative by o.
fn pixel_loss(o: f32, x: f32) -> vec2<f32> {
    if KIND == 0u {
        // bernoulli: cross-entropy of x and the logit o
        return vec2(max(o, 0.0) - o * x + log1p(exp(-abs(o))), sigmoid(o) - x);
    }
    // gaussian of mean o and variance 1/2, without its constant: the squared error
    return vec2((o - x) * (o - x), 2.0 * (o - x));
}

// One workgroup a row. The gradient is that of the batch mean.
@compute @workgroup_size(LANES)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(group, groups);
    var sum = 0.0;
    if row < params.rows {
        for (var p = lane; p < params.pixels; p += LANES) {
            let i = row * params.pixels + p;
            let value = pixel_loss(output[i], x[i]);
            sum += value.x;
            doutput[i] = value.y / f32(params.rows);
        }
    }
    sum = workgroup_sum(lane, sum);
    if lane == 0u && row < params.rows {
        recon[row] = sum;
    }
}
