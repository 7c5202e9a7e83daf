// Adam with bias correction (Kingma and Ba 2014, algorithm 1), in PyTorch's arrangement.
struct Params {
    count: u32,
    epsilon: f32,
    beta2: f32,
    one_minus_beta1: f32, // given, since the subtraction in 32 bits costs three digits
    one_minus_beta2: f32,
    log_beta1: f32,
    log_beta2: f32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(4) var<storage, read_write> first_moment: array<f32>;
@group(0) @binding(5) var<storage, read_write> second_moment: array<f32>; // raw

@compute @workgroup_size(64)
fn step(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i >= params.count {
        return;
    }
    let t = f32(state.step + 1u);
    // 1 - beta^t without its cancellation, which costs four digits at t = 1.
    let correction1 = -expm1(t * params.log_beta1);
    let correction2 = sqrt(-expm1(t * params.log_beta2));
    let g = gradient[i];
    let m = first_moment[i] + params.one_minus_beta1 * (g - first_moment[i]);
    let v = params.beta2 * second_moment[i] + params.one_minus_beta2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] -= state.learning_rate / correction1 * m / (sqrt(v) / correction2 + params.epsilon);
}
