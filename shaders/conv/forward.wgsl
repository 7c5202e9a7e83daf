// y = activation(x convolved by weight + bias): maps (batch · height · width, channels), x the larger;
// weight (outputs, taps · inputs).
#import product/finish_activated
#import product/gather
#import product/left_patches
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
    multiply_gathered(group_number(invocation), invocation.lane);
}
