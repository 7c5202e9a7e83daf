// Common parts of the normalizations: means and variances, and the sums of the backward pass, of
// four columns at once. The host sets INVOCATIONS, the invocations of a workgroup.

const EPSILON = 1e-5; // added to variances

// A unit is processed by workgroups of its own: `across` quads of columns in batch normalization,
// an image in layer normalization.
struct Params {
    rows: u32,       // of a unit
    columns: u32,
    quads: u32,      // in a row
    across: u32,     // quads of columns side by side in a workgroup, a power of two
    chunks: u32,     // into which a unit's rows are cut
    chunk_rows: u32, // rows of a chunk
    units: u32,
}

// An invocation's part of the work.
struct Place {
    unit: u32,
    chunk: u32,
    column: u32,  // of the unit, in quads
    first: u32,   // first row
    end: u32,     // row behind the last
    down: u32,    // step from row to row, the number of rows that the lanes process at once
    inside: bool, // whether there is such a unit
}

// The part of lane `lane` of workgroup `number`. A workgroup processes a chunk: each row takes
// `across` lanes, and the rows are divided among the lanes in turns.
fn place(p: Params, number: u32, lane: u32) -> Place {
    let unit = number / p.chunks;
    let chunk = number - unit * p.chunks;
    let inside = unit < p.units;
    let first = chunk * p.chunk_rows;
    // Lanes without a unit have no rows; their indices are those of the last unit, which exists.
    let end = select(0u, min(first + p.chunk_rows, p.rows), inside);
    return Place(
        min(unit, p.units - 1u),
        chunk,
        lane % p.across,
        first + lane / p.across,
        end,
        INVOCATIONS / p.across,
        inside,
    );
}

struct Moments {
    count: vec4<f32>,
    mean: vec4<f32>,
    square: vec4<f32>, // sum of the squared distances from the mean
}

// The moments of `count` values, from the sums of their differences from one of them, `shift`, and
// of the squares of these. Since `shift` is one of the values, cancellation costs at most a factor
// of `count` in precision.
fn moments_about(shift: vec4<f32>, count: vec4<f32>, sum: vec4<f32>, squares: vec4<f32>) -> Moments {
    let apart = sum / max(count, vec4(1.0));
    let square = squares - sum * apart;
    return Moments(count, shift + apart, select(square, vec4(0.0), square < vec4(0.0)));
}

// The moments of the union of two sets of values (Chan, Golub and LeVeque 1983).
fn merge(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = b.count / max(count, vec4(1.0));
    let apart = b.mean - a.mean;
    return Moments(count, a.mean + share * apart, a.square + b.square + a.count * share * apart * apart);
}

var<workgroup> merging: array<Moments, INVOCATIONS>;

// The moments of all lanes a multiple of `across` (a power of two) apart, in an order that never
// changes; all lanes must call it, once.
fn merge_down(lane: u32, across: u32, own: Moments) -> Moments {
    merging[lane] = own;
    for (var width = INVOCATIONS / 2u; width >= across; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            merging[lane] = merge(merging[lane], merging[lane + width]);
        }
    }
    workgroupBarrier();
    return merging[lane % across];
}

struct Sums {
    dy: vec4<f32>,
    product: vec4<f32>, // of dy and the distance of x from its mean
}

var<workgroup> summing: array<Sums, INVOCATIONS>;

// The sums of all lanes a multiple of `across` apart: see merge_down.
fn sum_down(lane: u32, across: u32, own: Sums) -> Sums {
    summing[lane] = own;
    for (var width = INVOCATIONS / 2u; width >= across; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            summing[lane].dy += summing[lane + width].dy;
            summing[lane].product += summing[lane + width].product;
        }
    }
    workgroupBarrier();
    return summing[lane % across];
}
