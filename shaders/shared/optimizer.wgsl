// Update rules as torch.optim has them. OPTIMIZER is the position in ops::optimizer::NAMES; MOMENTUM,
// of sgd and rmsprop, is 0 for none, 1, or 2 for Nesterov's. It is completed by whoever declares
// `parameter`, `first_moment` and `second_moment`; those that a rule does not need stay untouched.
#import shared/math
#import shared/schedule

struct Optimizer {
    schedule: Schedule,
    weight_decay: f32,
    epsilon: f32,
    momentum: f32,         // or beta1
    lr_decay: f32,         // adagrad's
    beta2: f32,            // or rmsprop's alpha
    one_minus_beta1: f32,  // given, since the subtraction in 32 bits costs three digits
    one_minus_beta2: f32,
    log_beta1: f32,
    @size(16) log_beta2: f32, // to the end of 16 bytes, as uniforms want
}

const SGD = 0u;
const RMSPROP = 1u;
const ADAGRAD = 2u;
const ADAM = 3u;
const ADAMW = 4u;

var<private> optimizer: Optimizer;
var<private> rate: f32; // what a step is multiplied by
var<private> decay: f32; // adamw's, of the parameter itself
var<private> root: f32; // of the second moment's correction

// Before the first update.
fn begin_updates(o: Optimizer, step: u32) {
    optimizer = o;
    rate = learning_rate(o.schedule, step);
    if OPTIMIZER == ADAGRAD {
        rate /= 1.0 + f32(step) * o.lr_decay;
    }
    if OPTIMIZER >= ADAM {
        decay = rate * o.weight_decay;
        let t = f32(step + 1u);
        // 1 - beta^t without its cancellation, which costs four digits at t = 1.
        rate /= -expm1(t * o.log_beta1);
        root = sqrt(-expm1(t * o.log_beta2));
    }
}

// A step of the four parameters at `at`. What is zero and has no gradient stays zero.
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
        // Zero at first, so that sgd's begins as the gradient itself, as PyTorch's does.
        let m = o.momentum * first_moment[at] + direction;
        first_moment[at] = m;
        direction = select(m, direction + o.momentum * m, MOMENTUM == 2u);
    }
    parameter[at] = p - rate * direction;
}
