// Likelihoods whose scale is a parameter, its logarithm: the loss is distance · exp(-power · s) / power
// + s + constant by s = log_scale. It is held within what fixed scales may be: see
// ops::likelihood::SCALES.
#import shared/likelihood

const LARGEST_LOG_SCALE = 13.815511; // of 1e6

fn learnt_scale(log_scale: f32, power: f32, constant: f32) -> Scale {
    let s = clamp(log_scale, -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE);
    return Scale(exp(s), exp(-power * s), constant + s);
}

// The loss's derivative by log_scale. At either end nothing moves it further: perfect pixels would let
// it fall for ever.
fn slope_by_log_scale(o: f32, x: f32, log_scale: f32, power: f32) -> f32 {
    let rate = learnt_scale(log_scale, power, 0.0).rate;
    let slope = 1.0 - power * pixel_loss(o, x, Scale(1.0, rate, 0.0)).x;
    let above = select(slope, min(slope, 0.0), log_scale <= -LARGEST_LOG_SCALE);
    return select(above, max(above, 0.0), log_scale >= LARGEST_LOG_SCALE);
}
