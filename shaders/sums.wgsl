// Sums of parts, which are stored: see shared/sums.wgsl.
#import shared/index
#import shared/sums

struct Params { sums: Sums }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

@compute @workgroup_size(64)
fn parts(invocation: Invocation) {
    let n = element(invocation);
    if n < params.sums.count {
        let total = total(n);
        result[total.at] = total.sum;
    }
}
