// Likelihoods with a learnt scale, whose logarithm s = log_scale is a parameter: the loss is
// distance · exp(-power · s) / power + s + constant. s is clamped to the range of fixed scales: see
// ops::likelihood::SCALES.
#import shared/likelihood

const LARGEST_LOG_SCALE = 13.815511; // log(1e6)

fn learnt_scale(log_scale: f32, power: f32, constant: f32) -> Scale {
    let s = clamp(log_scale, -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE);
    return Scale(exp(s), exp(-power * s), constant + s);
}

// The loss's derivative by log_scale. At either end of the range it is zero if a step would lead
// out: a perfect reconstruction would lower the scale without end.
fn slope_by_log_scale(o: f32, x: f32, log_scale: f32, power: f32) -> f32 {
    let rate = learnt_scale(log_scale, power, 0.0).rate;
    let slope = 1.0 - power * pixel_loss(o, x, Scale(1.0, rate, 0.0)).x;
    let above = select(slope, min(slope, 0.0), log_scale <= -LARGEST_LOG_SCALE);
    return select(above, max(above, 0.0), log_scale >= LARGEST_LOG_SCALE);
}
