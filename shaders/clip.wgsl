// Clipping gradients by their global norm, as torch.nn.utils.clip_grad_norm_ does.
#import shared/reduce

struct Params { count: u32, groups: u32, max_norm: f32 } // count in quads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec2<f32>>; // (groups)
@group(0) @binding(3) var<storage, read_write> result: array<f32>;         // the factor, the norm

const LARGEST = 0x1.fffffep127f;

// Each workgroup's sum of squares, and the sum of squares of the gradients times 2^-80, which is
// used if the first overflows. Underflow is not handled: a norm below 1e-18 counts as zero.
@compute @workgroup_size(LANES)
fn squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let p = params;
    var sum = vec4(0.0);
    var scaled = vec4(0.0);
    for (var i = group.x * LANES + lane; i < p.count; i += p.groups * LANES) {
        let g = gradient[i];
        let small = 0x1p-80f * g;
        sum += g * g;
        scaled += small * small;
    }
    let all = workgroup_sum(lane, dot(sum, vec4(1.0)));
    let all_scaled = workgroup_sum(lane, dot(scaled, vec4(1.0)));
    if lane == 0u {
        partials[group.x] = vec2(all, all_scaled);
    }
}

// One workgroup. A norm that is infinite makes the factor zero, one that is NaN makes it NaN.
@compute @workgroup_size(LANES)
fn factor(@builtin(local_invocation_index) lane: u32) {
    let p = params;
    var sum = vec2(0.0);
    for (var i = lane; i < p.groups; i += LANES) {
        sum += partials[i];
    }
    let all = workgroup_sum(lane, sum.x);
    let scaled = workgroup_sum(lane, sum.y);
    if lane == 0u {
        let norm = select(0x1p80f * sqrt(scaled), sqrt(all), all <= LARGEST);
        let factor = p.max_norm / (norm + 1e-6);
        result[0] = select(factor, 1.0, factor > 1.0);
        result[1] = norm;
    }
}
