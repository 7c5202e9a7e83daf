// The reconstruction loss, the negative log-likelihood of the pixels, with its gradient; and the
// likelihood's mean and draws from it. LIKELIHOOD is the position in ops::loss::KINDS. Matrices are
// (rows, columns), padded.
struct Params {
    quads: u32,     // of each matrix
    columns: u32,
    row_quads: u32,
    stride: u32,    // quads from one of an invocation to its next
    turn: u32,      // stride % row_quads
    sums: u32,      // of losses
    batch: f32,     // images
    pixels: f32,    // values of an image
    scale: f32,     // of the noise: sigma of a gaussian, b of a laplace
    rate: f32,      // scale^-power
    constant: f32,  // of the loss: log of what normalises the density
    power: f32,
    learnt: u32,    // whether log_scale counts: scale, rate and constant are then those of 1
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

const LARGEST_LOG = 13.815511; // of 1e6

struct Scale { scale: f32, rate: f32, constant: f32 }

// The learnt logarithm, within what fixed scales may be: see ops::likelihood::SCALES.
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

// The quad's columns that are not padding.
fn inside(p: Params, column_quad: u32) -> vec4<bool> {
    return vec4(4u * column_quad) + vec4(0u, 1u, 2u, 3u) < vec4(p.columns);
}

// The continuous Bernoulli distribution of logit l has the density l exp(l x) / (exp(l) - 1) on
// [0, 1] (Loaiza-Ganem and Cunningham 2019, with the factors in lambda put together). With h = l/2
// the logarithm of exp(l) - 1 over l is h + log(sinh(h) / h), and its derivative by l, the mean,
// is 1/2 + (coth(h) - 1/h) / 2. Both have series in h, which serve up to |l| = 2.

// log(sinh(h) / h) by s = h²
fn log_sinhc(s: f32) -> f32 {
    return s * (1.0 / 6.0 - s * (1.0 / 180.0 - s * (1.0 / 2835.0 - s * (1.0 / 37800.0
        - s * (1.0 / 467775.0 - s * (691.0 / 3831077250.0 - s * (2.0 / 127702575.0)))))));
}

// coth(h) - 1/h
fn langevin(h: f32) -> f32 {
    let s = h * h;
    return h * (1.0 / 3.0 - s * (1.0 / 45.0 - s * (2.0 / 945.0 - s * (1.0 / 4725.0
        - s * (2.0 / 93555.0 - s * (1382.0 / 638512875.0 - s * (4.0 / 18243225.0)))))));
}

// The mean at the logit -a, for a of 2 and more.
fn small_mean(a: f32) -> f32 {
    let e = exp(-a);
    return 1.0 / a - e / (1.0 - e);
}

fn continuous_mean(l: f32) -> f32 {
    let small = small_mean(max(abs(l), 2.0));
    let far = select(small, 1.0 - small, l > 0.0);
    return select(far, 0.5 + 0.5 * langevin(0.5 * l), abs(l) < 2.0);
}

// Loss and derivative by l.
fn continuous_loss(l: f32, x: f32) -> vec2<f32> {
    let a = max(abs(l), 2.0);
    let far = vec2(
        max(l, 0.0) - l * x + log((1.0 - exp(-a)) / a),
        mean_less_pixel(l, x, small_mean(a)),
    );
    let h = 0.5 * l;
    let near = vec2(l * (0.5 - x) + log_sinhc(h * h), 0.5 * langevin(h) + (0.5 - x));
    return select(far, near, abs(l) < 2.0);
}

// The mean less x, by the mean at the logit -|l|: both may be close to 1.
fn mean_less_pixel(l: f32, x: f32, small: f32) -> f32 {
    return select(small - x, (1.0 - x) - small, l > 0.0);
}

// Loss of the output o for the pixel x, and its derivative by o.
fn pixel_loss(o: f32, x: f32, scale: Scale) -> vec2<f32> {
    switch LIKELIHOOD {
        case 0u: { // bernoulli: cross-entropy of x and the logit o
            let e = exp(-abs(o));
            return vec2(max(o, 0.0) - o * x + log1p(e), mean_less_pixel(o, x, e / (1.0 + e)));
        }
        case 1u: { return continuous_loss(o, x); }
        case 2u: { // gaussian
            let d = o - x;
            return vec2(0.5 * scale.rate * d * d + scale.constant, scale.rate * d);
        }
        default: { // laplace
            let d = o - x;
            return vec2(scale.rate * abs(d) + scale.constant, scale.rate * sign(d));
        }
    }
}

// Every workgroup leaves one sum.
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
        let real = inside(p, column_quad);
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

// A pixel's loss is distance · exp(-power · s) / power + s + constant by s = log_scale, so that its
// derivative by s is 1 - power · (loss - s - constant): the sum of the losses has it all. One
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
        // At either end nothing moves it further: perfect pixels would let it fall for ever.
        let ends = log_scale[0] <= -LARGEST_LOG && gradient > 0.0
            || log_scale[0] >= LARGEST_LOG && gradient < 0.0;
        dlog_scale[0] = select(gradient, 0.0, ends);
    }
}

fn pixel_mean(o: f32) -> f32 {
    switch LIKELIHOOD {
        case 0u: { return sigmoid(o); }
        case 1u: { return continuous_mean(o); }
        default: { return o; }
    }
}

// One invocation a quad.
@compute @workgroup_size(64)
fn mean(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    let p = params;
    if i >= p.quads {
        return;
    }
    let o = output[i];
    let value = vec4(pixel_mean(o.x), pixel_mean(o.y), pixel_mean(o.z), pixel_mean(o.w));
    mean_of[i] = select(vec4(0.0), value, inside(p, i % p.row_quads));
}

// In (0, 1), an odd multiple of 2^-24: it and what it lacks to 1 are exact.
fn fraction(word: u32) -> f32 {
    return (f32(word >> 9u) + 0.5) * 0x1p-23f;
}

// The inverse distribution function of the continuous Bernoulli at u: at the logit -a it is
// -log(1 - u (1 - exp(-a))) / a, and 1 - u mirrors it.
fn continuous_draw(l: f32, u: f32) -> f32 {
    let a = max(abs(l), 1e-6);
    let v = select(u, 1.0 - u, l > 0.0);
    let z = v * -expm1(-a);
    // -log(1 - z) by the series of the inverse hyperbolic tangent, or with 1 - z as a sum
    let t = z / (2.0 - z);
    let s = t * t;
    let series = 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0
        + s * (1.0 / 11.0 + s / 13.0))))));
    let logarithm = select(-log(1.0 - v + v * exp(-a)), series, z < 0.5);
    let x = min(logarithm / a, 1.0);
    return select(x, 1.0 - x, l > 0.0);
}

fn pixel_draw(o: f32, word: u32, scale: f32) -> f32 {
    let u = fraction(word);
    switch LIKELIHOOD {
        case 0u: { return select(0.0, 1.0, u < sigmoid(o)); }
        case 1u: { return continuous_draw(o, u); }
        // laplace; its sign is of a bit that the fraction leaves
        default: { return o + select(scale, -scale, (word & 1u) == 1u) * max(-log(u), 0.0); }
    }
}

// One invocation and one draw of the generator a quad.
@compute @workgroup_size(64)
fn draw(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
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
    drawn[i] = select(vec4(0.0), value, inside(p, i % p.row_quads));
}
