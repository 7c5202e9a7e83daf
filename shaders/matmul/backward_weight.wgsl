// For each of several layers: dweight (outputs, inputs) = dyᵀ (outputs, batch) · x (batch, inputs) and
// dbias (outputs) = the column sums of dy.
#import product/finish_weight
#import product/layers
#import product/left_columns
#import product/right_columns
#import product/VARIANT
#import shared/index

struct Params { layers: Layers }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;  // dy of every layer
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>; // x of every layer
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // gradients

fn take_gradient(at: u32, four: vec4<f32>) {
    result[at] = four;
}

@compute @workgroup_size(INVOCATIONS)
fn backward_weight(invocation: Invocation) {
    multiply_layers(group_number(invocation), invocation.lane);
}
