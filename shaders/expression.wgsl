// Elementwise arithmetic and sums of it. The text that ops::expression generates completes it with
// the operands' bindings and the function `term` of a row and a column, which is an expression's
// value, or a gradient's element.
#import shared/index
#import shared/reduce

// The position of an operand's values. Each of its rows goes for `span` successive rows of the values.
struct Place {
    row: u32,   // elements from row to row
    first: u32, // first column
    @size(8) span: u32,
}

struct Params {
    rows: u32,
    columns: u32,   // of the values
    width: u32,     // columns of the result
    stride: u32,    // elements from row to row of the result
    sums: u32,      // number of sums, which are the rows of the result; 0 for `each`
    span: u32,      // rows in a sum, of which the last may have fewer; of `each`, rows that a row goes for
    numbers: vec4<f32>,
    places: array<Place, 8>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

// The index of an element of an operand with columns.
fn at(place: Place, row: u32, column: u32) -> u32 {
    return row * place.row + place.first + column;
}

// The index of an element of an operand with a value a row, or for `span` rows.
fn at_row(place: Place, row: u32) -> u32 {
    return row / place.span * place.row;
}

// result (rows, width), padded, = term: one invocation an element, padding included.
@compute @workgroup_size(64)
fn each(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.rows * p.stride {
        return;
    }
    let row = i / p.stride;
    let column = i - row * p.stride;
    var value = 0.0;
    if column < p.width {
        value = term(p, row, column);
    }
    result[i] = value;
}

// result (sums, 1), padded, = the sums of term over all columns of `span` rows: one workgroup a
// sum. All invocations of a workgroup return before the barriers or none does, which browsers must
// be able to prove: they cannot if `group` is a member of Invocation beside `lane`.
@compute @workgroup_size(LANES)
fn sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let number = group.x + group.y * groups.x; // group_number of shared/index.wgsl
    if number >= p.sums {
        return;
    }
    let first = number * p.span;
    let count = min(p.span, p.rows - first) * p.columns;
    var sum = 0.0;
    for (var i = lane; i < count; i += LANES) {
        let row = i / p.columns;
        sum += term(p, first + row, i - row * p.columns);
    }
    let total = workgroup_sum(lane, sum);
    if lane == 0u {
        result[number * p.stride] = total;
        for (var pad = 1u; pad < p.stride; pad++) {
            result[number * p.stride + pad] = 0.0;
        }
    }
}
