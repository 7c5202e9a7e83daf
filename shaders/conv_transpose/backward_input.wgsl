// dx from dy: the gradient through a transposed convolution by weight, multiplied by the derivative
// of the activation whose output x is. Maps are (batch · height · width, channels), dy the larger;
// weight is (inputs, taps · outputs).
#import product/finish_slope
#import product/gather
#import product/left_patches
#import product/right_rows
#import product/VARIANT
#import shared/index

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // dx
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;    // pre-activation of x, read only

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    multiply_gathered(group_number(invocation), invocation.lane);
}
