// The sum at the end of a residual block. Matrices are (rows, columns), padded.
#import shared/activation
#import shared/index
#import shared/padding

struct Params { count: u32, columns: u32 } // count in quads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> a: array<vec4<f32>>;   // read only
@group(0) @binding(2) var<storage, read_write> b: array<vec4<f32>>;   // read only
@group(0) @binding(3) var<storage, read_write> pre: array<vec4<f32>>; // before an activation
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> da: array<vec4<f32>>;  // read only
@group(0) @binding(6) var<storage, read_write> dy: array<vec4<f32>>;  // read only
@group(0) @binding(7) var<storage, read_write> dx: array<vec4<f32>>;

// pre = a + b, y = f(pre)
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i < p.count {
        let sum = a[i] + b[i];
        pre[i] = sum;
        y[i] = within(i, p.columns, activate_four(sum));
    }
}

// dx = da + dy · f'(pre), where x = f(pre) is the block's input
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    if i < params.count {
        dx[i] = da[i] + dy[i] * slope_four(pre[i]);
    }
}
