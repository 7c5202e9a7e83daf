// The decoder's last layer and the reconstruction loss, value and gradient together: output =
// activation(h (batch, inputs) · weightᵀ + bias), against the pixels x. The gradient is that of the
// batch mean, by what goes into the activation.

@group(0) @binding(1) var<storage, read_write> left: array<vec4<f32>>;   // h, read only
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;        // weight
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x: array<vec4<f32>>;      // (batch, pixels), read only
@group(0) @binding(5) var<storage, read_write> result: array<vec4<f32>>; // gradient (batch, pixels)
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;       // nats, summed over tiles

var<private> loss: f32;

fn right_rows(p: Product, column: u32) -> vec4<u32> {
    return min(vec4(column) + FOUR, vec4(p.width - 1u));
}

var<private> added: vec4<f32>;

fn begin_column(p: Product, column: u32) {
    added = bias[column / 4u];
}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let at = row * p.result_row + column / 4u;
    let before = value + added;
    let output = activate_four(before);
    let pixels = x[at];
    let a = pixel_loss(output.x, pixels.x);
    let b = pixel_loss(output.y, pixels.y);
    let c = pixel_loss(output.z, pixels.z);
    let d = pixel_loss(output.w, pixels.w);
    let gradient = vec4(a.y, b.y, c.y, d.y) * slope_four(before) / f32(p.height);
    result[at] = within(p, column, gradient);
    loss += dot(within(p, column, vec4(a.x, b.x, c.x, d.x)), vec4(1.0));
}

@compute @workgroup_size(INVOCATIONS)
fn forward_loss(
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
