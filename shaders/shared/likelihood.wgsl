// Negative log-likelihoods of a pixel; LIKELIHOOD is the position in ops::likelihood::NAMES.

// Loss of one pixel and its derivative by o.
fn pixel_loss(o: f32, x: f32) -> vec2<f32> {
    if LIKELIHOOD == 0u {
        // bernoulli: cross-entropy of x and the logit o
        return vec2(max(o, 0.0) - o * x + log1p(exp(-abs(o))), sigmoid(o) - x);
    }
    // gaussian of mean o and variance 1/2, without its constant: the squared error
    return vec2((o - x) * (o - x), 2.0 * (o - x));
}
