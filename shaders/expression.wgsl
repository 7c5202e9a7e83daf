// Elementwise arithmetic and sums of it. It is completed by the text that ops::expression writes, with
// the operands' bindings and the function `term` of a row and a column: an expression's value, or what
// goes into a gradient.
#import shared/index
#import shared/reduce

// Where an operand's values lie. Those of several columns have a row for each of the result's, those of one
// column a value for `span` of them.
struct Place {
    row: u32,   // elements from row to row
    first: u32, // column
    @size(8) span: u32,
}

struct Params {
    rows: u32,
    columns: u32,   // of the operands
    width: u32,     // columns of the result
    stride: u32,    // elements from row to row of the result
    sums: u32,      // rows of the result where it is of sums
    span: u32,      // rows that go into a sum; the last may have fewer
    numbers: vec4<f32>,
    places: array<Place, 8>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

// The element of an operand that has columns.
fn at(place: Place, row: u32, column: u32) -> u32 {
    return row * place.row + place.first + column;
}

// The element of one that has a value for several rows.
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

// result (sums, 1), padded, = the sums of term over all columns of `span` rows: one workgroup a sum. All
// of one return before the barriers or none, which browsers want proved.
@compute @workgroup_size(LANES)
fn sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let number = group.x + group.y * groups.x; // as group_number has it
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
