// The factor of a weight that rises linearly from 0 to 1 in `ramp` steps (Bowman et al. 2016), and again every
// `period` steps unless that is 0 (Fu et al. 2019), at a step.
fn climbed(ramp: u32, period: u32, step: u32) -> f32 {
    let at = select(step, step % max(period, 1u), period > 0u);
    return select(1.0, f32(at) / f32(ramp), at < ramp);
}
