// Ends a step: adds the batch's losses to the epoch's running means and advances the counters.
struct Params { rows: u32, recons: u32, kls: u32, pad0: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> recon: array<f32>; // (recons), nats, to be summed
@group(0) @binding(2) var<storage, read> kl: array<f32>;    // (kls), likewise
@group(0) @binding(3) var<storage, read_write> state: State;

// One workgroup. Terms are divided before they are summed, so that an epoch of huge but finite
// losses has a finite mean.
@compute @workgroup_size(LANES)
fn accumulate(@builtin(local_invocation_index) lane: u32) {
    var recon_sum = 0.0;
    var kl_sum = 0.0;
    for (var i = lane; i < params.recons; i += LANES) {
        recon_sum += recon[i] / f32(state.images);
    }
    for (var i = lane; i < params.kls; i += LANES) {
        kl_sum += kl[i] / f32(state.images);
    }
    recon_sum = workgroup_sum(lane, recon_sum);
    kl_sum = workgroup_sum(lane, kl_sum);
    if lane == 0u {
        state.recon += recon_sum;
        state.kl += kl_sum;
        state.row += params.rows;
        state.step += 1u;
    }
}
