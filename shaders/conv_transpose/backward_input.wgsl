// dx = dy taken back through a transposed convolution by weight, and through the activation that x came
// out of: maps (batch · height · width, channels), dy the larger; weight (inputs, taps · outputs).
#import product/finish_slope
#import product/gather
#import product/left_patches
#import product/right_rows
#import product/VARIANT
#import shared/index

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // dx
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;    // before the activation, read only

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    multiply_gathered(group_number(invocation), invocation.lane);
}
