// The learning rate as a function of the steps taken: see ops::schedule.
#import shared/math

struct Schedule {
    base: f32,
    minimum: f32,      // the rate at the cosine's end
    horizon: u32,      // steps of the cosine; 0 for none
    warmup: u32,       // steps
    warmup_start: f32, // share of the rate in the first of them
    period: u32,       // steps from one decay to the next; 0 for none
    decay_high: f32,   // log2 of a decay's factor, in multiples of 2^-10
    decay_low: f32,    // the remainder of that log2
}

fn learning_rate(s: Schedule, step: u32) -> f32 {
    var rate = s.base;
    if s.horizon > 0u {
        // (1 + cos(pi step / horizon)) / 2 as a square, which does not cancel towards the end.
        let root = sine_of_quarter(f32(s.horizon - min(step, s.horizon)) / f32(s.horizon));
        rate = s.minimum + (s.base - s.minimum) * root * root;
    }
    if s.period > 0u {
        // Products with decay_high are exact until the rate underflows.
        let decays = f32(step / s.period);
        let whole = round(decays * s.decay_high + decays * s.decay_low);
        let part = (decays * s.decay_high - whole) + decays * s.decay_low;
        rate *= ldexp(exp2(part), i32(max(whole, -126.0)));
    }
    if step < s.warmup {
        rate *= s.warmup_start + (1.0 - s.warmup_start) * (f32(step) / f32(s.warmup));
    }
    return rate;
}
