// dx = dy taken back through a convolution by weight, and through the activation that x came out of:
// maps (batch · height · width, channels), dx the larger; weight (outputs, taps · inputs).
#import product/finish_slope
#import product/left_patches
#import product/scatter
#import product/VARIANT
#import shared/index

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // dx
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;    // before the activation, read only

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    multiply_scattered(group_number(invocation), invocation.lane);
}
