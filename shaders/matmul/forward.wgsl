// y (batch, outputs) = activation(x (batch, inputs) · weightᵀ + bias), weight (outputs, inputs).
#import product/batch
#import product/finish_activated
#import product/left_rows
#import product/right_rows
#import product/VARIANT
#import shared/index

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // x, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<f32>>; // y
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>;    // before the activation

@compute @workgroup_size(INVOCATIONS)
fn forward(invocation: Invocation) {
    multiply_batch(group_number(invocation), invocation.lane);
}
