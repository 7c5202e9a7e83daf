// The gradient of a term's batch mean by the nats of each row, where its weight is a function of the step.
#import shared/index
#import shared/ramp
#import shared/state

struct Params {
    rows: u32,
    row: u32,      // elements from row to row of y
    weight: f32,   // after the ramp, by the number of rows
    ramp: u32,     // steps from 0 to the full weight
    period: u32,   // steps after which the ramp begins again; 0 for never
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> state: State;    // read only
@group(0) @binding(2) var<storage, read_write> y: array<f32>;   // (rows, 1), padded

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let value = p.weight * climbed(p.ramp, p.period, state.step);
    if i < p.rows * p.row {
        y[i] = select(0.0, value, i % p.row == 0u);
    }
}
