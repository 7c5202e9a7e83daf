// Elementwise activations as PyTorch defines them; KIND is the position in ops::activation::NAMES.
override KIND: u32;

struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn activate(x: f32) -> f32 {
    switch KIND {
        case 0u: { return select(x, 0.0, x < 0.0); }              // relu, which passes NaN on
        case 1u: { return select(0.01 * x, x, x > 0.0); }         // leaky_relu
        case 2u: { return select(expm1(x), x, x > 0.0); }         // elu
        case 3u: { return x * normal_cdf(x); }                    // gelu
        case 4u: { return x * sigmoid(x); }                       // silu
        case 5u: { return stable_tanh(x); }                       // tanh
        case 6u: { return sigmoid(x); }                           // sigmoid
        default: { return softplus(x); }                          // softplus
    }
}

fn slope(x: f32) -> f32 {
    switch KIND {
        case 0u: { return select(0.0, 1.0, x > 0.0); }
        case 1u: { return select(0.01, 1.0, x > 0.0); }
        case 2u: { return select(exp(x), 1.0, x > 0.0); }
        case 3u: { return normal_cdf(x) + x * 0.39894228 * exp(-0.5 * x * x); }
        case 4u: { return sigmoid(x) * (1.0 + x * sigmoid(-x)); }
        case 5u: { let t = stable_tanh(x); return (1.0 - t) * (1.0 + t); }
        case 6u: { return sigmoid(x) * sigmoid(-x); }
        default: { return sigmoid(x); }
    }
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i < params.count {
        y[i] = activate(x[i]);
    }
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i < params.count {
        dx[i] = dy[i] * slope(x[i]);
    }
}
