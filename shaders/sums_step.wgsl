// Sums of parts that are gradients, with which the optimizer's step is taken at once: see
// shared/sums.wgsl.
#import shared/index
#import shared/optimizer
#import shared/state
#import shared/sums

struct Params { optimizer: Optimizer, sums: Sums }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> state: State;
@group(0) @binding(3) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

@compute @workgroup_size(64)
fn parts(invocation: Invocation) {
    let n = element(invocation);
    if n < params.sums.count {
        let total = total(n);
        begin_updates(params.optimizer, state.step);
        update(total.at, total.sum);
    }
}
