// dz = dy (batch, outputs) · weight (outputs, latent), taken back through the reparameterization,
// plus the gradient of the batch mean of kl_weight · KL: see forward_latent.wgsl.

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // dy, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read> state: State;
@group(0) @binding(4) var<storage, read_write> head: array<f32>;    // (batch, 2 latent), padded, read only
@group(0) @binding(5) var<storage, read_write> epsilon: array<f32>; // (batch, latent), read only
@group(0) @binding(6) var<storage, read_write> dhead: array<f32>;   // (batch, 2 latent), padded

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let weight = state.kl_weight / f32(p.height);
    for (var i = 0u; i < 4u; i++) {
        let unit = column + i;
        if unit < p.width {
            let at_mean = 4u * row * p.result_row + unit;
            let at_logvar = at_mean + p.width;
            let logvar = head[at_logvar];
            let noise = exp(0.5 * logvar) * epsilon[row * p.width + unit];
            dhead[at_mean] = value[i] + weight * head[at_mean];
            dhead[at_logvar] = 0.5 * (value[i] * noise + weight * expm1(logvar));
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn backward_latent(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = flat_group(group, groups);
    multiply(whole(), number, lane);
}
