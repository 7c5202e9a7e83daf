// dx (batch, inputs) = dy (batch, outputs) · weight (outputs, inputs), multiplied by the derivative
// of the activation whose output x is.
#import product/batch
#import product/finish_slope
#import product/left_rows
#import product/right_columns
#import product/VARIANT
#import shared/index

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read_write> result: array<vec4<f32>>; // dx
@group(0) @binding(4) var<storage, read_write> pre: array<vec4<f32>>;    // pre-activation of x, read only

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    multiply_batch(group_number(invocation), invocation.lane);
}
