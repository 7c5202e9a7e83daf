// Adds a term of a step's losses to its mean over the epoch, and, with the last term, ends the
// step. latent.wgsl itself accumulates the KL divergence.
#import shared/reduce
#import shared/running
#import shared/state

struct Params {
    rows: u32,      // images of the step if this is its last term; otherwise 0
    count: u32,     // of values
    term: u32,      // index in sums
    terms: u32,     // places in a row of sums
    share: f32,     // factor of the sum: 1 / k if each image has k samples
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>; // (count), nats, to be summed
@group(0) @binding(2) var<storage, read_write> state: State;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>; // (2 · terms), the running means in parts

// One workgroup. Values are divided before they are summed, so that an epoch of huge but finite
// losses has a finite mean.
@compute @workgroup_size(LANES)
fn accumulate(@builtin(local_invocation_index) lane: u32) {
    let p = params;
    var sum = 0.0;
    for (var i = lane; i < p.count; i += LANES) {
        sum += values[i] / f32(state.images);
    }
    sum = workgroup_sum(lane, sum);
    if lane == 0u {
        let parts = with_step(Parts(sums[p.term], sums[p.terms + p.term]), state.step, p.share * sum);
        sums[p.term] = parts.older;
        sums[p.terms + p.term] = parts.recent;
        state.row += p.rows;
        state.step += select(0u, 1u, p.rows > 0u);
    }
}
