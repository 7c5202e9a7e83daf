// Likelihoods of a pixel given the decoder's output: loss, mean and draws. LIKELIHOOD is
// ops::likelihood::Likelihood::number.
#import shared/math

// For a gaussian or laplace: sigma or b, scale^-power, and the log of the normalising constant.
struct Scale { scale: f32, rate: f32, constant: f32 }

// The continuous Bernoulli distribution of logit l has the density l exp(l x) / (exp(l) - 1) on
// [0, 1] (Loaiza-Ganem and Cunningham 2019, with the factors in lambda put together). With h = l/2
// the logarithm of exp(l) - 1 over l is h + log(sinh(h) / h), and its derivative by l, the mean,
// is 1/2 + (coth(h) - 1/h) / 2. Both have series in h, which are exact enough up to |l| = 2.

// log(sinh(h) / h) as a series in s = h²
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

// The mean less x, from the mean at the logit -|l|, without cancellation where both are close to 1.
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

// The mean of a pixel for the output o.
fn pixel_mean(o: f32) -> f32 {
    switch LIKELIHOOD {
        case 0u: { return sigmoid(o); }
        case 1u: { return continuous_mean(o); }
        default: { return o; }
    }
}

// A uniform number in (0, 1) from a random word: an odd multiple of 2^-24, so that it and 1 minus
// it are exact.
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

// A draw of a pixel for the output o from a random word; gaussian ones are drawn in loss.wgsl.
fn pixel_draw(o: f32, word: u32, scale: f32) -> f32 {
    let u = fraction(word);
    switch LIKELIHOOD {
        case 0u: { return select(0.0, 1.0, u < sigmoid(o)); }
        case 1u: { return continuous_draw(o, u); }
        // laplace; its sign is a bit that the fraction does not use
        default: { return o + select(scale, -scale, (word & 1u) == 1u) * max(-log(u), 0.0); }
    }
}
