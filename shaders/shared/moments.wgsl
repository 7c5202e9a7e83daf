// What the normalizations have in common: means and variances, and the sums of the way back, of four
// columns at once. The host sets INVOCATIONS, the invocations of a workgroup.

const EPSILON = 1e-5; // added to variances

// A unit is what has its lanes to itself: `across` quads of columns, or an image.
struct Params {
    rows: u32,       // of a unit
    columns: u32,
    quads: u32,      // in a row
    across: u32,     // a power of two
    chunks: u32,     // of a unit's rows
    chunk_rows: u32,
    units: u32,
}

// What an invocation takes.
struct Place {
    unit: u32,
    chunk: u32,
    column: u32,  // of the unit, in quads
    first: u32,   // row
    end: u32,
    down: u32,    // rows that the lanes take at once
    inside: bool, // whether there is such a unit
}

// A workgroup takes a chunk; its lanes are `across` quads, and take turns at the rows.
fn place(p: Params, number: u32, lane: u32) -> Place {
    let unit = number / p.chunks;
    let chunk = number - unit * p.chunks;
    let inside = unit < p.units;
    let first = chunk * p.chunk_rows;
    // Without a unit there are no rows, but what others have is read.
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

// Of `count` values from the sums of their distances from one of them, and of the squares of these.
// Since it is one of them, no more than a factor `count` of the precision can cancel.
fn moments_about(shift: vec4<f32>, count: vec4<f32>, sum: vec4<f32>, squares: vec4<f32>) -> Moments {
    let apart = sum / max(count, vec4(1.0));
    let square = squares - sum * apart;
    return Moments(count, shift + apart, select(square, vec4(0.0), square < vec4(0.0)));
}

// Of both sets together (Chan, Golub and LeVeque 1983).
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

// As merge_down.
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
