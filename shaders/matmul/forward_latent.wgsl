// The encoder's last layer, reparameterization and the KL divergence from the standard normal prior
// (Kingma and Welling 2013, sections 2.4 and appendix B):
//   head (batch, 2 latent) = x (batch, inputs) · weightᵀ + bias, its rows the mean, then the
//   log-variance; z = mean + exp(logvar / 2) epsilon; KL = sum of (mean² + exp(logvar) - logvar - 1) / 2.

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // x, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> head: array<f32>;    // padded
@group(0) @binding(5) var<storage, read_write> epsilon: array<f32>; // (batch, latent), read only
@group(0) @binding(6) var<storage, read_write> z: array<f32>;       // (batch, latent), padded
@group(0) @binding(7) var<storage, read_write> losses: array<f32>;  // KL in nats, summed over tiles

var<private> loss: f32;

// Four columns are the means of two units, then their log-variances.
fn right_rows(p: Product, column: u32) -> vec4<u32> {
    let unit = min(vec2(column / 2u) + FOUR.xy, vec2(params.latent - 1u));
    return vec4(unit, unit + params.latent);
}

var<private> added: vec4<f32>;

fn begin_column(p: Product, column: u32) {
    let at = right_rows(p, column);
    added = vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    for (var i = 0u; i < 2u; i++) {
        let unit = column / 2u + i;
        if unit < params.latent {
            let mean = value[i] + added[i];
            let logvar = value[2u + i] + added[2u + i];
            head[4u * row * p.result_row + unit] = mean;
            head[4u * row * p.result_row + params.latent + unit] = logvar;
            let noise = exp(0.5 * logvar) * epsilon[row * params.latent + unit];
            z[4u * row * params.z_row + unit] = mean + noise;
            loss += 0.5 * (mean * mean + expm1(logvar) - logvar);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn forward_latent(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = flat_group(group, groups);
    multiply(whole(), number, lane);
    let sum = reduce(lane, loss);
    // Grids that wrap have workgroups too many.
    if lane < PARTIALS && number * PARTIALS + lane < arrayLength(&losses) {
        losses[number * PARTIALS + lane] = sum;
    }
}
