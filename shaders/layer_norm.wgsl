// Layer normalization (Ba et al. 2016) of x (batch · rows, columns), padded: every image, `rows`
// rows, by its own mean and variance; each of its values has a weight and a bias. A unit is an
// image. If its rows are cut into several chunks, a dispatch before computes each chunk's moments
// or sums, which every workgroup then merges for itself.
#import shared/activation
#import shared/index
#import shared/moments
#import shared/padding

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>; // read only
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;  // (rows, columns), padded
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;    // (rows, columns), padded
// (batch, 1 + chunks): mean and 1 / deviation, then a quad for each chunk: its count, mean and sum
// of squared distances from it, or its sums of the backward pass.
@group(0) @binding(4) var<storage, read_write> moments: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> pre: array<vec4<f32>>; // before the activation: of y, or of x
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dy: array<vec4<f32>>; // read only
@group(0) @binding(8) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> dweight: array<f32>; // (rows, columns), padded
@group(0) @binding(10) var<storage, read_write> dbias: array<f32>;  // (rows, columns), padded

// The quad where the image begins.
fn image(p: Params, at: Place) -> u32 {
    return at.unit * p.rows * p.quads;
}

// The index of an image's moments, behind which are those of its chunks.
fn moments_at(p: Params, image: u32) -> u32 {
    return image * (1u + p.chunks);
}

fn moments_of_rows(p: Params, at: Place) -> Moments {
    let image = image(p, at);
    let shift = x[image + min(at.first, p.rows - 1u) * p.quads + min(at.column, p.quads - 1u)];
    var count = vec4(0.0);
    var sum = vec4(0.0);
    var squares = vec4(0.0);
    for (var column = at.column; column < p.quads; column += p.across) {
        let inside = unpadded(column, p.columns);
        for (var row = at.first; row < at.end; row += at.down) {
            let apart = select(vec4(0.0), x[image + row * p.quads + column] - shift, inside);
            count += select(vec4(0.0), vec4(1.0), inside);
            sum += apart;
            squares += apart * apart;
        }
    }
    return moments_about(shift, count, sum, squares);
}

fn moments_of_chunks(p: Params, at: Place, lane: u32) -> Moments {
    var all = Moments(vec4(0.0), vec4(0.0), vec4(0.0));
    for (var chunk = lane; chunk < p.chunks; chunk += INVOCATIONS) {
        let one = moments[moments_at(p, at.unit) + 1u + chunk];
        // In the first of the four columns that are merged side by side.
        let here = Moments(vec4(one.x, 0.0, 0.0, 0.0), vec4(one.y), vec4(one.z, 0.0, 0.0, 0.0));
        all = merge(all, here);
    }
    return all;
}

// The moments of all values of the workgroup's lanes, repeated in all four components.
fn merge_all(lane: u32, own: Moments) -> Moments {
    let four = merge_down(lane, 1u, own);
    let two = merge(
        Moments(four.count.xyxy, four.mean.xyxy, four.square.xyxy),
        Moments(four.count.zwzw, four.mean.zwzw, four.square.zwzw),
    );
    return merge(
        Moments(two.count.xxxx, two.mean.xxxx, two.square.xxxx),
        Moments(two.count.yyyy, two.mean.yyyy, two.square.yyyy),
    );
}

@compute @workgroup_size(INVOCATIONS)
fn statistics(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place(p, group_number(invocation), lane);
    let all = merge_all(lane, moments_of_rows(p, at));
    if at.inside && lane == 0u {
        moments[moments_at(p, at.unit) + 1u + at.chunk] = vec4(all.count.x, all.mean.x, all.square.x, 0.0);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn forward(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place(p, group_number(invocation), lane);
    var mine: Moments;
    if p.chunks == 1u {
        mine = moments_of_rows(p, at);
    } else {
        mine = moments_of_chunks(p, at, lane);
    }
    let all = merge_all(lane, mine);
    let rstd = inverseSqrt(all.square / all.count + EPSILON);
    if at.inside && lane == 0u && at.chunk == 0u {
        moments[moments_at(p, at.unit)] = vec4(all.mean.x, rstd.x, 0.0, 0.0);
    }
    let image = image(p, at);
    for (var column = at.column; column < p.quads; column += p.across) {
        let inside = unpadded(column, p.columns);
        for (var row = at.first; row < at.end; row += at.down) {
            let i = row * p.quads + column;
            let value = (x[image + i] - all.mean) * rstd * weight[i] + bias[i];
            pre[image + i] = select(vec4(0.0), value, inside);
            y[image + i] = select(vec4(0.0), activate_four(value), inside);
        }
    }
}

// The sums for dy · weight, the gradient with respect to the normalized values.
fn sums_of_rows(p: Params, at: Place) -> Sums {
    let mean = moments[moments_at(p, at.unit)].x;
    var all = Sums(vec4(0.0), vec4(0.0));
    let image = image(p, at);
    for (var column = at.column; column < p.quads; column += p.across) {
        let inside = unpadded(column, p.columns);
        for (var row = at.first; row < at.end; row += at.down) {
            let i = row * p.quads + column;
            let gradient = select(vec4(0.0), dy[image + i] * weight[i], inside);
            all.dy += gradient;
            all.product += gradient * (x[image + i] - mean);
        }
    }
    return all;
}

fn sums_of_chunks(p: Params, at: Place, lane: u32) -> Sums {
    var all = Sums(vec4(0.0), vec4(0.0));
    for (var chunk = lane; chunk < p.chunks; chunk += INVOCATIONS) {
        let one = moments[moments_at(p, at.unit) + 1u + chunk];
        all.dy.x += one.x;
        all.product.x += one.y;
    }
    return all;
}

@compute @workgroup_size(INVOCATIONS)
fn backward_sums(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place(p, group_number(invocation), lane);
    let all = sum_down(lane, 1u, sums_of_rows(p, at));
    if at.inside && lane == 0u {
        let sums = vec2(dot(all.dy, vec4(1.0)), dot(all.product, vec4(1.0)));
        moments[moments_at(p, at.unit) + 1u + at.chunk] = vec4(sums, 0.0, 0.0);
    }
}

@compute @workgroup_size(INVOCATIONS)
fn backward_input(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let at = place(p, group_number(invocation), lane);
    var mine: Sums;
    if p.chunks == 1u {
        mine = sums_of_rows(p, at);
    } else {
        mine = sums_of_chunks(p, at, lane);
    }
    let all = sum_down(lane, 1u, mine);
    let count = f32(p.rows * p.columns);
    let mean = moments[moments_at(p, at.unit)].x;
    let rstd = moments[moments_at(p, at.unit)].y;
    let by_mean = dot(all.dy, vec4(1.0)) / count;
    let by_deviation = dot(all.product, vec4(1.0)) / count * rstd * rstd;
    let image = image(p, at);
    for (var column = at.column; column < p.quads; column += p.across) {
        let inside = unpadded(column, p.columns);
        for (var row = at.first; row < at.end; row += at.down) {
            let i = row * p.quads + column;
            let apart = x[image + i] - mean;
            var gradient = rstd * (dy[image + i] * weight[i] - by_mean - apart * by_deviation);
            if ACTIVATION < IDENTITY {
                gradient *= slope_four(pre[image + i]);
            }
            dx[image + i] = select(vec4(0.0), gradient, inside);
        }
    }
}

// dweight and dbias, which are sums over the batch. A workgroup computes `across` quads of the
// parameters; its lanes loop over the images, INVOCATIONS / across at a time.
@compute @workgroup_size(INVOCATIONS)
fn backward_weight(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let quads = p.rows * p.quads;
    let quad = group_number(invocation) * p.across + lane % p.across;
    let images = select(0u, p.units, quad < quads);
    var sums = Sums(vec4(0.0), vec4(0.0));
    for (var image = lane / p.across; image < images; image += INVOCATIONS / p.across) {
        let i = image * quads + quad;
        let known = moments[moments_at(p, image)];
        let gradient = dy[i];
        sums.dy += gradient;
        sums.product += gradient * (x[i] - known.x) * known.y;
    }
    let all = sum_down(lane, p.across, sums);
    if lane < p.across && quad < quads {
        let column = quad % p.quads;
        for (var i = 0u; i < min(4u, p.columns - 4u * column); i++) {
            dbias[4u * quad + i] = all.dy[i];
            dweight[4u * quad + i] = all.product[i];
        }
    }
}
