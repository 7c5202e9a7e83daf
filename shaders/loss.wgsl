// The reconstruction loss, the negative log-likelihood of the pixels, with its gradient; and the
// likelihood's mean and draws from it. LIKELIHOOD is ops::likelihood::Likelihood::number. Matrices are
// (rows, columns), padded.
#import shared/activation
#import shared/index
#import shared/likelihood
#import shared/padding
#import shared/reduce
#import shared/rng
#import shared/state

struct Params {
    quads: u32,     // of each matrix
    columns: u32,
    row_quads: u32,
    stride: u32,    // quads from one of an invocation's to its next
    turn: u32,      // stride % row_quads
    sums: u32,      // number of partial sums
    batch: f32,     // number of images
    pixels: f32,    // values of an image
    scale: f32,     // of the noise: sigma of a gaussian, b of a laplace
    rate: f32,      // scale^-power
    constant: f32,  // of the loss: log of the density's normalising constant
    power: f32,     // of the distance: 2 for a gaussian, 1 for a laplace
    learnt: u32,    // whether the scale is exp(log_scale); scale, rate and constant are then of 1
    seed_low: u32,
    seed_high: u32,
    stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> pre: array<vec4<f32>>;    // before the output's activation, read only
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>; // read only
@group(0) @binding(3) var<storage, read_write> dy: array<vec4<f32>>;     // gradient of the batch mean by pre
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;       // (sums), nats
@group(0) @binding(5) var<storage, read> log_scale: array<f32>;          // (1)
@group(0) @binding(6) var<storage, read_write> dlog_scale: array<f32>;   // (1)
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // behind the activation, read only
@group(0) @binding(8) var<storage, read_write> mean_of: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> drawn: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read> state: State;

const LARGEST_LOG = 13.815511; // log(1e6)

// The learnt logarithm, clamped to the range of fixed scales: see ops::likelihood::SCALES.
fn bounded_scale() -> f32 {
    return clamp(log_scale[0], -LARGEST_LOG, LARGEST_LOG);
}

fn current_scale(p: Params) -> Scale {
    if p.learnt == 0u {
        return Scale(p.scale, p.rate, p.constant);
    }
    let s = bounded_scale();
    return Scale(exp(s), exp(-p.power * s), p.constant + s);
}

// The loss and dy. Every workgroup stores one partial sum.
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let scale = current_scale(p);
    let first = group.x * LANES + lane;
    var column_quad = first % p.row_quads;
    var sum = vec4(0.0);
    for (var i = first; i < p.quads; i += p.stride) {
        let before = pre[i];
        let o = activate_four(before);
        let x = pixels[i];
        let a = pixel_loss(o.x, x.x, scale);
        let b = pixel_loss(o.y, x.y, scale);
        let c = pixel_loss(o.z, x.z, scale);
        let d = pixel_loss(o.w, x.w, scale);
        let real = unpadded(column_quad, p.columns);
        let gradient = vec4(a.y, b.y, c.y, d.y) * slope_four(before) / p.batch;
        dy[i] = select(vec4(0.0), gradient, real);
        sum += select(vec4(0.0), vec4(a.x, b.x, c.x, d.x), real);
        column_quad += p.turn;
        column_quad -= select(0u, p.row_quads, column_quad >= p.row_quads);
    }
    let all = workgroup_sum(lane, dot(sum, vec4(1.0)));
    if lane == 0u {
        losses[group.x] = all;
    }
}

// A pixel's loss is distance · exp(-power · s) / power + s + constant with s = log_scale, so that
// its derivative by s is 1 - power · (loss - s - constant), and the sum of the losses suffices. One
// workgroup.
@compute @workgroup_size(LANES)
fn backward_scale(@builtin(local_invocation_index) lane: u32) {
    let p = params;
    var sum = 0.0;
    for (var i = lane; i < p.sums; i += LANES) {
        sum += losses[i] / p.batch;
    }
    sum = workgroup_sum(lane, sum);
    if lane == 0u {
        let constant = p.constant + bounded_scale();
        let gradient = p.pixels * (1.0 + p.power * constant) - p.power * sum;
        // Zero at either end of the range if a step would lead out: a perfect reconstruction would
        // lower the scale without end.
        let ends = (log_scale[0] <= -LARGEST_LOG && gradient > 0.0)
            || (log_scale[0] >= LARGEST_LOG && gradient < 0.0);
        dlog_scale[0] = select(gradient, 0.0, ends);
    }
}

// One invocation a quad.
@compute @workgroup_size(64)
fn mean(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.quads {
        return;
    }
    let o = output[i];
    let value = vec4(pixel_mean(o.x), pixel_mean(o.y), pixel_mean(o.z), pixel_mean(o.w));
    mean_of[i] = within(i, p.columns, unless_infinite(o, value));
}

// `value`, but o where that is infinite or NaN, which functions of o may turn into what looks like a
// pixel, and which the host is to see. By the bits, since compilers may take all numbers for finite.
fn unless_infinite(o: vec4<f32>, value: vec4<f32>) -> vec4<f32> {
    let exponent = vec4(0x7f800000u);
    return select(value, o, (bitcast<vec4<u32>>(o) & exponent) == exponent);
}

// One invocation and one draw of the generator a quad.
@compute @workgroup_size(64)
fn draw(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let scale = current_scale(p).scale;
    let key = vec4(p.seed_low, p.seed_high, 0u, p.stream);
    let words = threefry(vec4(i, state.step, 0u, 0u), key);
    if i >= p.quads {
        return;
    }
    let o = output[i];
    var value: vec4<f32>;
    if LIKELIHOOD == 2u {
        value = o + scale * normals(words);
    } else {
        let far = vec2(pixel_draw(o.z, words.z, scale), pixel_draw(o.w, words.w, scale));
        value = vec4(pixel_draw(o.x, words.x, scale), pixel_draw(o.y, words.y, scale), far);
    }
    drawn[i] = within(i, p.columns, unless_infinite(o, value));
}
