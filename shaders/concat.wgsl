// The columns of a beside those of b, and the way back. Matrices are (rows, columns), padded. A row of b
// may go for several successive rows of a, as an example's condition does for all places of its map.
#import shared/index

struct Params {
    rows: u32,
    span: u32,      // rows of a for a row of b
    first: u32,     // columns of a; in the way back, those of dy before dx's
    columns: u32,   // of a and b together; in the way back, of dx
    row: u32,       // elements from row to row of the result
    a_row: u32,     // elements from row to row of a, or of dy
    b_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;  // (rows, first); read only
@group(0) @binding(2) var<storage, read_write> b: array<f32>;  // (rows / span, columns - first); read only
@group(0) @binding(3) var<storage, read_write> y: array<f32>;  // (rows, columns)
@group(0) @binding(4) var<storage, read_write> dy: array<f32>; // (rows · span, …); read only
@group(0) @binding(5) var<storage, read_write> dx: array<f32>; // (rows, columns)

// One invocation an element of y, padding included.
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.rows * p.row {
        return;
    }
    let row = i / p.row;
    let column = i - row * p.row;
    var value = 0.0;
    if column < p.first {
        value = a[row * p.a_row + column];
    } else if column < p.columns {
        value = b[row / p.span * p.b_row + column - p.first];
    }
    y[i] = value;
}

// dx = the sums of dy, from column `first` on, over the rows that a row went for, in their order. One
// invocation an element of dx, padding included.
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i >= p.rows * p.row {
        return;
    }
    let row = i / p.row;
    let column = i - row * p.row;
    var sum = 0.0;
    if column < p.columns {
        for (var k = 0u; k < p.span; k++) {
            sum += dy[(row * p.span + k) * p.a_row + p.first + column];
        }
    }
    dx[i] = sum;
}
