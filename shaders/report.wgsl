// Ends a step: adds the batch's reconstruction loss to the epoch's running mean and advances the
// counters. The KL divergence adds up where it is computed: see latent.wgsl.
#import shared/reduce
#import shared/state

struct Params { rows: u32, recons: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> recon: array<f32>; // (recons), nats, to be summed
@group(0) @binding(2) var<storage, read_write> state: State;

// One workgroup. Terms are divided before they are summed, so that an epoch of huge but finite
// losses has a finite mean.
@compute @workgroup_size(LANES)
fn accumulate(@builtin(local_invocation_index) lane: u32) {
    var recon_sum = 0.0;
    for (var i = lane; i < params.recons; i += LANES) {
        recon_sum += recon[i] / f32(state.images);
    }
    recon_sum = workgroup_sum(lane, recon_sum);
    if lane == 0u {
        state.recon += recon_sum;
        state.row += params.rows;
        state.step += 1u;
    }
}
