// The reparameterization and the KL divergence from the standard normal prior (Kingma and Welling
// 2013, section 2.4 and appendix B):
//   z = mean + exp(logvar / 2) epsilon; KL = (mean² + exp(logvar) - logvar - 1) / 2 for each unit.
#import shared/index
#import shared/math
#import shared/ramp
#import shared/reduce
#import shared/running
#import shared/state

struct Params {
    rows: u32,
    latent: u32,
    head_row: u32,      // elements from row to row
    z_row: u32,
    weight: f32,        // of the KL divergence after the ramp
    capacity: f32,      // target of the KL divergence in nats after the ramp; none if negative
    free_bits: f32,     // nats for each unit that cost nothing
    ramp: u32,          // steps from 0 to the full weight or capacity
    period: u32,        // steps after which the ramp begins again; 0 for never
    samples: u32,       // rows of each image
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> state: State; // read only; its buffer has the units, too
@group(0) @binding(2) var<storage, read_write> head: array<f32>;    // (rows, 2 latent), padded; read only
@group(0) @binding(3) var<storage, read_write> epsilon: array<f32>; // (rows, latent); read only
@group(0) @binding(4) var<storage, read_write> z: array<f32>;       // (rows, latent), padded
@group(0) @binding(5) var<storage, read_write> kl: array<f32>;      // (latent) nats, summed over the batch; total
@group(0) @binding(6) var<storage, read_write> units: array<f32>;   // (5, latent), statistics of the epoch so far
@group(0) @binding(7) var<storage, read_write> dz: array<f32>;      // (rows, latent), padded; read only
@group(0) @binding(8) var<storage, read_write> dhead: array<f32>;   // (rows, 2 latent), padded

// The statistics of a unit are the running mean of its KL divergence, in two parts, and of the posterior's
// mean over the epoch's rows: the shift, which is its value for the first of them; the distance from there to
// its average; and the sum of its squared distances from the average, by the images of an epoch. A difference
// of the mean square and the square of the mean would lose all digits where the average is far from zero.

// One workgroup for each unit (latent variable), its lanes along the batch. All invocations of a
// workgroup return before the barriers or none does, which browsers must be able to prove: they
// cannot if `group` is a member of Invocation beside `lane`.
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let unit = group.x + group.y * groups.x; // group_number of shared/index.wgsl
    if unit >= p.latent {
        return;
    }
    let is_first = state.row == 0u;
    let shift = select(units[2u * p.latent + unit], head[unit], is_first);
    var sums = vec2(0.0);
    for (var row = lane; row < p.rows; row += LANES) {
        let mean = head[row * p.head_row + unit];
        let logvar = head[row * p.head_row + p.latent + unit];
        z[row * p.z_row + unit] = mean + exp(0.5 * logvar) * epsilon[row * p.latent + unit];
        // Workspace memory is reused, so that the padding behind the last unit must be zeroed.
        for (var pad = p.latent; unit + 1u == p.latent && pad < p.z_row; pad++) {
            z[row * p.z_row + pad] = 0.0;
        }
        sums += vec2(0.5 * (mean * mean + expm1(logvar) - logvar), mean - shift);
    }
    let divergence = workgroup_sum(lane, sums.x);
    let average = workgroup_sum(lane, sums.y) / f32(p.rows);
    var square = 0.0;
    for (var row = lane; row < p.rows; row += LANES) {
        let apart = (head[row * p.head_row + unit] - shift) - average;
        square += apart * apart;
    }
    let squares = workgroup_sum(lane, square);
    if lane == 0u {
        let samples = f32(p.samples);
        let images = f32(state.images) * samples; // together they may be more than 32 bits
        kl[unit] = divergence;
        let before = Parts(units[unit], units[p.latent + unit]);
        let parts = with_step(before, state.step, divergence / images);
        units[unit] = parts.older;
        units[p.latent + unit] = parts.recent;
        // The union of the rows so far and these (Chan, Golub and LeVeque 1983).
        let rows = f32(state.row) * samples;
        let share = f32(p.rows) / (rows + f32(p.rows));
        let former = vec2(units[3u * p.latent + unit], units[4u * p.latent + unit]);
        let known = select(former, vec2(0.0), is_first);
        let apart = average - known.x;
        units[2u * p.latent + unit] = shift;
        units[3u * p.latent + unit] = known.x + share * apart;
        units[4u * p.latent + unit] = known.y + squares / images + apart * (rows / images * share * apart);
    }
}

// The KL divergence of all units, averaged over the batch, behind those of each. One workgroup.
@compute @workgroup_size(LANES)
fn total(@builtin(local_invocation_index) lane: u32) {
    let p = params;
    var sum = 0.0;
    for (var unit = lane; unit < p.latent; unit += LANES) {
        sum += kl[unit] / f32(p.rows);
    }
    sum = workgroup_sum(lane, sum);
    if lane == 0u {
        kl[p.latent] = sum;
    }
}

// dhead from dz, plus the gradient of the objective's term for the KL divergence, averaged over the
// batch: weight · KL, or weight · |KL - capacity| (Burgess 2018). With free bits, units below them
// cost nothing (Kingma 2016, section C.8).
@compute @workgroup_size(LANES)
fn backward(invocation: Invocation) {
    let p = params;
    let ramp = climbed(p.ramp, p.period, state.step);
    let rows = f32(p.rows);
    let i = group_number(invocation) * LANES + invocation.lane;
    if i >= p.rows * p.latent {
        return;
    }
    let row = i / p.latent;
    let unit = i - row * p.latent;
    var weight = p.weight;
    if p.capacity < 0.0 {
        weight *= ramp;
    } else {
        weight *= sign(kl[p.latent] - p.capacity * ramp);
    }
    weight = select(weight, 0.0, kl[unit] / rows < p.free_bits) / rows;
    let at = row * p.head_row + unit;
    let mean = head[at];
    let logvar = head[at + p.latent];
    let gradient = dz[row * p.z_row + unit];
    let noise = exp(0.5 * logvar) * epsilon[i];
    dhead[at] = gradient + weight * mean;
    dhead[at + p.latent] = 0.5 * (gradient * noise + weight * expm1(logvar));
    for (var pad = 2u * p.latent; unit + 1u == p.latent && pad < p.head_row; pad++) {
        dhead[row * p.head_row + pad] = 0.0;
    }
}
