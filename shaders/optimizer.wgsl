// A step of the optimizer from stored gradients: see shared/optimizer.wgsl.
#import shared/index
#import shared/optimizer
#import shared/state

struct Params { optimizer: Optimizer, count: u32 } // count in quads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> factor: array<f32>; // (1), factor of the gradient
@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

@compute @workgroup_size(64)
fn step(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.count {
        return;
    }
    begin_updates(p.optimizer, state.step);
    update(i, factor[0] * gradient[i]);
}
