// Functions that WGSL lacks, or whose built-in form loses digits or overflows on some adapters.

// exp(x) - 1
fn expm1(x: f32) -> f32 {
    let series = x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0)))));
    return select(exp(x) - 1.0, series, abs(x) < 0.25);
}

// log(1 + e) for e >= 0
fn log1p(e: f32) -> f32 {
    let series = e * (1.0 - e * (1.0 / 2.0 - e * (1.0 / 3.0 - e / 4.0)));
    return select(log(1.0 + e), series, e < 0.01);
}

// log(1 + exp(x))
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log1p(exp(-abs(x)));
}

// 1 / (1 + exp(-x))
fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn stable_tanh(x: f32) -> f32 {
    let s = x * x;
    let series = x * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * 62.0 / 2835.0))));
    let e = exp(-2.0 * abs(x));
    return select(sign(x) * (1.0 - e) / (1.0 + e), series, abs(x) < 0.25);
}

// The standard normal distribution function; relative error below 1.2e-7 by Numerical Recipes'
// Chebyshev fit of erfc (Press et al., 3rd ed., section 6.2.2).
fn normal_cdf(x: f32) -> f32 {
    let z = abs(x) * 0.70710678;
    let t = 2.0 / (2.0 + z);
    var p = 0.17087277;
    p = -0.82215223 + t * p;
    p = 1.48851587 + t * p;
    p = -1.13520398 + t * p;
    p = 0.27886807 + t * p;
    p = -0.18628806 + t * p;
    p = 0.09678418 + t * p;
    p = 0.37409196 + t * p;
    p = 1.00002368 + t * p;
    p = -1.26551223 + t * p;
    let tail = 0.5 * t * exp(p - z * z);
    return select(tail, 1.0 - tail, x >= 0.0);
}

// sin(pi / 2 x) for x in [0, 1], to the last digits: the built-in sines have three correct digits
// on some adapters.
fn sine_of_quarter(x: f32) -> f32 {
    let t = 1.5707963 * x;
    let s = t * t;
    return t * (1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0 * (1.0 - s / 110.0 * (1.0 - s / 156.0))))));
}

// log(gamma(x)) for x > 0, with an error of 2e-6 where it is small: Stirling's series after the
// recurrence gamma(x) = gamma(x + 1) / x (Abramowitz and Stegun 1964, 6.1.15 and 6.1.41).
fn log_gamma(x: f32) -> f32 {
    var y = x;
    var product = 1.0;
    while y < 8.0 {
        product *= y;
        y += 1.0;
    }
    let s = 1.0 / (y * y);
    let series = (1.0 / 12.0 - s * (1.0 / 360.0 - s / 1260.0)) / y;
    return (y - 0.5) * log(y) - y + 0.91893853 + series - log(product);
}
