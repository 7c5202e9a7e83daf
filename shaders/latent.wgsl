// Reparameterization and the KL divergence from the standard normal prior (Kingma and Welling 2013,
// sections 2.4 and appendix B). A row of head is the mean, then the log-variance.
struct Params { rows: u32, latent: u32, pad0: u32, pad1: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> head: array<f32>;        // (rows, 2 * latent)
@group(0) @binding(3) var<storage, read> epsilon: array<f32>;     // (rows, latent)
@group(0) @binding(4) var<storage, read> dz: array<f32>;          // (rows, latent)
@group(0) @binding(5) var<storage, read_write> z: array<f32>;     // (rows, latent)
@group(0) @binding(6) var<storage, read_write> kl: array<f32>;    // (rows), nats
@group(0) @binding(7) var<storage, read_write> dhead: array<f32>; // (rows, 2 * latent)

// One workgroup a row: z = mean + exp(logvar / 2) epsilon,
// kl = sum of (mean^2 + exp(logvar) - logvar - 1) / 2.
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(group, groups);
    var sum = 0.0;
    if row < params.rows {
        for (var j = lane; j < params.latent; j += LANES) {
            let mean = head[row * 2u * params.latent + j];
            let logvar = head[(row * 2u + 1u) * params.latent + j];
            z[row * params.latent + j] = mean + exp(0.5 * logvar) * epsilon[row * params.latent + j];
            sum += 0.5 * (mean * mean + expm1(logvar) - logvar);
        }
    }
    sum = workgroup_sum(lane, sum);
    if lane == 0u && row < params.rows {
        kl[row] = sum;
    }
}

// One invocation for each of z; the loss is the batch mean of recon + kl_weight * kl.
@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * 64u + lane;
    if i >= params.rows * params.latent {
        return;
    }
    let row = i / params.latent;
    let at_mean = row * 2u * params.latent + i % params.latent;
    let at_logvar = at_mean + params.latent;
    let logvar = head[at_logvar];
    let weight = state.kl_weight / f32(params.rows);
    dhead[at_mean] = dz[i] + weight * head[at_mean];
    dhead[at_logvar] = 0.5 * (dz[i] * epsilon[i] * exp(0.5 * logvar) + weight * expm1(logvar));
}
