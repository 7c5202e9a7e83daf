// Adam with bias correction (Kingma and Ba 2014, algorithm 1), in PyTorch's arrangement.
struct Adam {
    epsilon: f32,
    beta2: f32,
    one_minus_beta1: f32, // given, since the subtraction in 32 bits costs three digits
    one_minus_beta2: f32,
    log_beta1: f32,
    log_beta2: f32,
    pad0: u32,
    pad1: u32,
}

// Step size over the first moment's correction, and the root of the second's.
fn adam_scale(adam: Adam, step: u32, learning_rate: f32) -> vec2<f32> {
    let t = f32(step + 1u);
    // 1 - beta^t without its cancellation, which costs four digits at t = 1.
    return vec2(learning_rate / -expm1(t * adam.log_beta1), sqrt(-expm1(t * adam.log_beta2)));
}

// Updates four parameters and their moments from their gradient.
fn adam_step(
    adam: Adam,
    scale: vec2<f32>,
    gradient: vec4<f32>,
    parameter: ptr<function, vec4<f32>>,
    first_moment: ptr<function, vec4<f32>>,
    second_moment: ptr<function, vec4<f32>>,
) {
    let m = *first_moment + adam.one_minus_beta1 * (gradient - *first_moment);
    let v = adam.beta2 * *second_moment + adam.one_minus_beta2 * gradient * gradient;
    *first_moment = m;
    *second_moment = v;
    *parameter -= scale.x * m / (sqrt(v) / scale.y + vec4(adam.epsilon));
}
