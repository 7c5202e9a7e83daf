// Activations as PyTorch defines them, and their derivatives. The constant ACTIVATION is the
// discriminant of ops::activation::Activation; larger numbers are the identity.
#import shared/math

const IDENTITY: u32 = 8u;

fn activate(x: f32) -> f32 {
    switch ACTIVATION {
        case 0u: { return select(x, 0.0, x < 0.0); }              // relu, which passes NaN on
        case 1u: { return select(0.01 * x, x, x > 0.0); }         // leaky_relu
        case 2u: { return select(expm1(x), x, x > 0.0); }         // elu
        case 3u: { return x * normal_cdf(x); }                    // gelu
        case 4u: { return x * sigmoid(x); }                       // silu
        case 5u: { return stable_tanh(x); }                       // tanh
        case 6u: { return sigmoid(x); }                           // sigmoid
        case 7u: { return softplus(x); }                          // softplus
        default: { return x; }                                    // none
    }
}

// The activation's derivative at x.
fn slope(x: f32) -> f32 {
    switch ACTIVATION {
        case 0u: { return select(0.0, 1.0, x > 0.0); }
        case 1u: { return select(0.01, 1.0, x > 0.0); }
        case 2u: { return select(exp(x), 1.0, x > 0.0); }
        case 3u: { return normal_cdf(x) + x * 0.39894228 * exp(-0.5 * x * x); }
        case 4u: { return sigmoid(x) * (1.0 + x * sigmoid(-x)); }
        case 5u: { let t = stable_tanh(x); return (1.0 - t) * (1.0 + t); }
        case 6u: { return sigmoid(x) * sigmoid(-x); }
        case 7u: { return sigmoid(x); }
        default: { return 1.0; }
    }
}

fn activate_four(x: vec4<f32>) -> vec4<f32> {
    return vec4(activate(x.x), activate(x.y), activate(x.z), activate(x.w));
}

fn slope_four(x: vec4<f32>) -> vec4<f32> {
    return vec4(slope(x.x), slope(x.y), slope(x.z), slope(x.w));
}
