// The importance-weighted bound of each example from the nats of its k samples (Burda et al. 2016,
// equation 8): y = -log((1 / k) sum exp(-nats)), each sample's normalized weight, and the same sums over
// samples that come in several dispatches. Matrices are (rows, columns), padded. The least of the nats is
// taken out of each sum, so that nothing overflows. One invocation an example.
#import shared/index

struct Params {
    examples: u32,
    samples: u32,  // of an example in this dispatch
    row: u32,      // elements from row to row of nats, weights and dx
    y_row: u32,    // elements from row to row of y, dy and total
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> nats: array<f32>;    // (examples · samples, 1); read only
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (examples · samples, 1)
@group(0) @binding(3) var<storage, read_write> y: array<f32>;       // (examples, 1)
@group(0) @binding(4) var<storage, read_write> dy: array<f32>;      // (examples, 1); read only
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;      // (examples · samples, 1)
@group(0) @binding(6) var<storage, read_write> total: array<f32>;   // (examples, 2): the least nats so far, and the sum of exp(least - nats)

// The least nats of the example whose rows begin at `first`, or `least` if that is less.
fn least_of(p: Params, first: u32, least: f32) -> f32 {
    var found = least;
    for (var k = 0u; k < p.samples; k++) {
        found = min(found, nats[(first + k) * p.row]);
    }
    return found;
}

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let example = element(invocation);
    let p = params;
    if example >= p.examples {
        return;
    }
    let first = example * p.samples;
    let least = least_of(p, first, nats[first * p.row]);
    var sum = 0.0;
    for (var k = 0u; k < p.samples; k++) {
        sum += exp(least - nats[(first + k) * p.row]);
    }
    for (var k = 0u; k < p.samples; k++) {
        let at = (first + k) * p.row;
        weights[at] = exp(least - nats[at]) / sum;
        for (var pad = 1u; pad < p.row; pad++) {
            weights[at + pad] = 0.0;
        }
    }
    y[example * p.y_row] = least - log(sum / f32(p.samples));
    for (var pad = 1u; pad < p.y_row; pad++) {
        y[example * p.y_row + pad] = 0.0;
    }
}

// dx = dy · weights.
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let example = element(invocation);
    let p = params;
    if example >= p.examples {
        return;
    }
    let gradient = dy[example * p.y_row];
    for (var k = 0u; k < p.samples; k++) {
        let at = (example * p.samples + k) * p.row;
        dx[at] = gradient * weights[at];
        for (var pad = 1u; pad < p.row; pad++) {
            dx[at + pad] = 0.0;
        }
    }
}

// total, with these samples added. Before the first, its least is the largest number and its sum 0.
@compute @workgroup_size(64)
fn accumulate(invocation: Invocation) {
    let example = element(invocation);
    let p = params;
    if example >= p.examples {
        return;
    }
    let first = example * p.samples;
    let at = example * p.y_row;
    let before = total[at];
    let least = least_of(p, first, before);
    var sum = total[at + 1u] * exp(least - before);
    for (var k = 0u; k < p.samples; k++) {
        sum += exp(least - nats[(first + k) * p.row]);
    }
    total[at] = least;
    total[at + 1u] = sum;
}
