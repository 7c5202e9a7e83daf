// Update rules of torch.optim. OPTIMIZER is one of the numbers below; MOMENTUM is 1
// for sgd and rmsprop with momentum, 2 for Nesterov's, otherwise 0. The importing file declares
// `parameter`, `first_moment` and `second_moment`; moments that a rule does not need are left
// untouched.
#import shared/math
#import shared/schedule

struct Optimizer {
    schedule: Schedule,
    weight_decay: f32,
    epsilon: f32,
    momentum: f32,         // or beta1
    lr_decay: f32,         // adagrad's
    beta2: f32,            // or rmsprop's alpha
    one_minus_beta1: f32,  // given, since the subtraction in 32 bits would lose three digits
    one_minus_beta2: f32,
    log_beta1: f32,
    @size(16) log_beta2: f32, // padded to a multiple of 16 bytes, which uniforms require
}

const SGD = 0u;
const RMSPROP = 1u;
const ADAGRAD = 2u;
const ADAM = 3u;
const ADAMW = 4u;

var<private> optimizer: Optimizer;
var<private> rate: f32; // factor of a step; for adam with the first moment's bias correction
var<private> decay: f32; // adamw's decay of the parameter itself
var<private> root: f32; // square root of the second moment's bias correction

// Prepares for updates in step number `step`; called before the first.
fn begin_updates(o: Optimizer, step: u32) {
    optimizer = o;
    rate = learning_rate(o.schedule, step);
    if OPTIMIZER == ADAGRAD {
        rate /= 1.0 + f32(step) * o.lr_decay;
    }
    if OPTIMIZER >= ADAM {
        decay = rate * o.weight_decay;
        let t = f32(step + 1u);
        // 1 - beta^t as -expm1(t log(beta)): the subtraction would lose four digits at t = 1.
        rate /= -expm1(t * o.log_beta1);
        root = sqrt(-expm1(t * o.log_beta2));
    }
}

// Takes a step of the four parameters at `at`. Padding, zeros with a gradient of zero, stays zero.
fn update(at: u32, gradient: vec4<f32>) {
    let o = optimizer;
    var p = parameter[at];
    var g = gradient;
    if OPTIMIZER == ADAMW {
        p -= decay * p;
    } else {
        g += o.weight_decay * p;
    }
    var direction = g;
    if OPTIMIZER == RMSPROP {
        let v = o.beta2 * second_moment[at] + o.one_minus_beta2 * g * g;
        second_moment[at] = v;
        direction = g / (sqrt(v) + o.epsilon);
    } else if OPTIMIZER == ADAGRAD {
        let v = second_moment[at] + g * g;
        second_moment[at] = v;
        direction = g / (sqrt(v) + o.epsilon);
    } else if OPTIMIZER >= ADAM {
        let m = o.momentum * first_moment[at] + o.one_minus_beta1 * g;
        let v = o.beta2 * second_moment[at] + o.one_minus_beta2 * g * g;
        first_moment[at] = m;
        second_moment[at] = v;
        direction = m / (sqrt(v) / root + o.epsilon);
    }
    if MOMENTUM > 0u {
        // The moment begins as zero, so that it is the gradient itself in the first step, as in
        // PyTorch.
        let m = o.momentum * first_moment[at] + direction;
        first_moment[at] = m;
        direction = select(m, direction + o.momentum * m, MOMENTUM == 2u);
    }
    parameter[at] = p - rate * direction;
}
