// The gradients of backward_weight.wgsl, with which the optimizer's step is taken at once: they are
// never stored.
#import product/finish_weight
#import product/layers
#import product/left_columns
#import product/right_columns
#import product/VARIANT
#import shared/index
#import shared/optimizer
#import shared/state

struct Params { optimizer: Optimizer, layers: Layers }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;  // dy of every layer
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>; // x of every layer
@group(0) @binding(3) var<storage, read> state: State;
@group(0) @binding(4) var<storage, read_write> parameter: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> second_moment: array<vec4<f32>>; // raw

fn take_gradient(at: u32, four: vec4<f32>) {
    update(at, four);
}

@compute @workgroup_size(INVOCATIONS)
fn backward_weight_step(invocation: Invocation) {
    begin_updates(params.optimizer, state.step);
    multiply_layers(group_number(invocation), invocation.lane);
}
