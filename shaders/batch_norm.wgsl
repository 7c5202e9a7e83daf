// Batch normalization (Ioffe and Szegedy 2015) of x (rows, columns), padded: every column by its
// own mean and variance. A unit is `across` quads of columns. If its rows are cut into several
// chunks, a dispatch before computes each chunk's moments or sums, which every workgroup then
// merges for itself.
#import shared/activation
#import shared/index
#import shared/moments
#import shared/padding

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>; // read only
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;  // (columns)
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;    // (columns)
// (2 + 2 chunks, columns), padded: mean and 1 / deviation, then two rows for each chunk: its mean
// and the sum of squared distances from it, or its sums of the backward pass.
@group(0) @binding(4) var<storage, read_write> moments: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>; // before the activation: of y, or of x
// forward
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> running_mean: array<f32>; // (columns)
@group(0) @binding(8) var<storage, read_write> running_var: array<f32>;  // (columns)
@group(0) @binding(9) var<storage, read> kept_mean: array<vec4<f32>>;    // running_mean in evaluation
@group(0) @binding(10) var<storage, read> kept_var: array<vec4<f32>>;    // running_var in evaluation
// backward
@group(0) @binding(11) var<storage, read_write> dy: array<vec4<f32>>; // read only
@group(0) @binding(12) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> dweight: array<f32>; // (columns)
@group(0) @binding(14) var<storage, read_write> dbias: array<f32>;   // (columns)

const SHARE = 0.1; // PyTorch's momentum: the batch's weight in the running statistics

// The part of a lane, with its column counted in the matrix and not in the unit.
fn place_in_matrix(p: Params, number: u32, lane: u32) -> Place {
    var at = place(p, number, lane);
    let column = at.unit * p.across + at.column;
    at.inside &= column < p.quads;
    at.end = select(0u, at.end, at.inside);
    at.column = min(column, p.quads - 1u);
    return at;
}

// Whether the lane is the one that writes the results of its columns.
fn leads(p: Params, at: Place, lane: u32) -> bool {
    return at.inside && lane < p.across;
}

fn moments_of_rows(p: Params, at: Place) -> Moments {
    let shift = x[min(at.first, p.rows - 1u) * p.quads + at.column];
    var count = 0.0;
    var sum = vec4(0.0);
    var squares = vec4(0.0);
    for (var row = at.first; row < at.end; row += at.down) {
        let apart = x[row * p.quads + at.column] - shift;
        count += 1.0;
        sum += apart;
        squares += apart * apart;
    }
    return moments_about(shift, vec4(count), sum, squares);
}

fn moments_of_chunks(p: Params, at: Place, lane: u32) -> Moments {
    var all = Moments(vec4(0.0), vec4(0.0), vec4(0.0));
    for (var chunk = lane / p.across; chunk < p.chunks; chunk += at.down) {
        let count = min(p.chunk_rows, p.rows - chunk * p.chunk_rows);
        let i = (2u + 2u * chunk) * p.quads + at.column;
        all = merge(all, Moments(vec4(f32(count)), moments[i], moments[i + p.quads]));
    }
    return all;
}

@compute @workgroup_size(INVOCATIONS)
fn statistics(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place_in_matrix(p, group_number(invocation), lane);
    let all = merge_down(lane, p.across, moments_of_rows(p, at));
    if leads(p, at, lane) {
        let i = (2u + 2u * at.chunk) * p.quads + at.column;
        moments[i] = all.mean;
        moments[i + p.quads] = all.square;
    }
}

// Updates the running statistics, with which evaluation normalizes. A single row has no unbiased
// variance, and leaves the running one.
fn run_on(p: Params, at: Place, all: Moments) {
    for (var i = 0u; i < min(4u, p.columns - 4u * at.column); i++) {
        let column = 4u * at.column + i;
        running_mean[column] += SHARE * (all.mean[i] - running_mean[column]);
        if p.rows > 1u {
            let variance = all.square[i] / (f32(p.rows) - 1.0);
            running_var[column] += SHARE * (variance - running_var[column]);
        }
    }
}

fn normalize(p: Params, at: Place, mean: vec4<f32>, rstd: vec4<f32>) {
    let scale = rstd * weight[at.column];
    let shift = bias[at.column];
    let inside = unpadded(at.column, p.columns);
    for (var row = at.first; row < at.end; row += at.down) {
        let i = row * p.quads + at.column;
        let value = (x[i] - mean) * scale + shift;
        // Zero in the padding, whatever the parameters' padding holds.
        pre[i] = select(vec4(0.0), value, inside);
        y[i] = select(vec4(0.0), activate_four(value), inside);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn forward(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place_in_matrix(p, group_number(invocation), lane);
    var own: Moments;
    if p.chunks == 1u {
        own = moments_of_rows(p, at);
    } else {
        own = moments_of_chunks(p, at, lane);
    }
    let all = merge_down(lane, p.across, own);
    let rstd = inverseSqrt(all.square / f32(p.rows) + EPSILON);
    if leads(p, at, lane) && at.chunk == 0u {
        moments[at.column] = all.mean;
        moments[p.quads + at.column] = select(vec4(0.0), rstd, unpadded(at.column, p.columns));
        run_on(p, at, all);
    }
    normalize(p, at, all.mean, rstd);
}

@compute @workgroup_size(INVOCATIONS)
fn evaluate(invocation: Invocation) {
    let p = params;
    let at = place_in_matrix(p, group_number(invocation), invocation.lane);
    normalize(p, at, kept_mean[at.column], inverseSqrt(kept_var[at.column] + EPSILON));
}

fn sums_of_rows(p: Params, at: Place) -> Sums {
    let mean = moments[at.column];
    var all = Sums(vec4(0.0), vec4(0.0));
    for (var row = at.first; row < at.end; row += at.down) {
        let i = row * p.quads + at.column;
        let gradient = dy[i];
        all.dy += gradient;
        all.product += gradient * (x[i] - mean);
    }
    return all;
}

fn sums_of_chunks(p: Params, at: Place, lane: u32) -> Sums {
    var all = Sums(vec4(0.0), vec4(0.0));
    for (var chunk = lane / p.across; chunk < p.chunks; chunk += at.down) {
        let i = (2u + 2u * chunk) * p.quads + at.column;
        all.dy += moments[i];
        all.product += moments[i + p.quads];
    }
    return all;
}

@compute @workgroup_size(INVOCATIONS)
fn backward_sums(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place_in_matrix(p, group_number(invocation), lane);
    let all = sum_down(lane, p.across, sums_of_rows(p, at));
    if leads(p, at, lane) {
        let i = (2u + 2u * at.chunk) * p.quads + at.column;
        moments[i] = all.dy;
        moments[i + p.quads] = all.product;
    }
}

@compute @workgroup_size(INVOCATIONS)
fn backward(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place_in_matrix(p, group_number(invocation), lane);
    var own: Sums;
    if p.chunks == 1u {
        own = sums_of_rows(p, at);
    } else {
        own = sums_of_chunks(p, at, lane);
    }
    let all = sum_down(lane, p.across, own);
    let mean = moments[at.column];
    let rstd = moments[p.quads + at.column];
    if leads(p, at, lane) && at.chunk == 0u {
        for (var i = 0u; i < min(4u, p.columns - 4u * at.column); i++) {
            dbias[4u * at.column + i] = all.dy[i];
            dweight[4u * at.column + i] = all.product[i] * rstd[i];
        }
    }
    let scale = rstd * weight[at.column];
    let by_mean = all.dy / f32(p.rows);
    let by_deviation = all.product / f32(p.rows) * rstd * rstd;
    let inside = unpadded(at.column, p.columns);
    for (var row = at.first; row < at.end; row += at.down) {
        let i = row * p.quads + at.column;
        var gradient = scale * (dy[i] - by_mean - (x[i] - mean) * by_deviation);
        if ACTIVATION < IDENTITY {
            gradient *= slope_four(pre[i]);
        }
        dx[i] = select(vec4(0.0), gradient, inside);
    }
}
