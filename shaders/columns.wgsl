// A batch of a dataset's column of numbers or classes: the examples at order[state.row …], stored
// without padding, as rows of a padded matrix. One invocation an element, padding included. Examples that
// lie in another part of the dataset are left to the dispatch that has it.
#import shared/index
#import shared/state

struct Params {
    count: u32,   // elements of x, with the padding
    columns: u32,
    stride: u32,  // elements of x from row to row
    mask: u32,    // of positions in order, where it is a ring of a power of two
    first: u32,   // the first example that the values are of
    held: u32,    // examples that they are of
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> order: array<u32>;        // (examples of the dataset), or a ring
@group(0) @binding(3) var<storage, read> real: array<f32>;         // (held, columns)
@group(0) @binding(4) var<storage, read> whole: array<u32>;        // (held, columns)
@group(0) @binding(5) var<storage, read> classes: array<u32>;      // (held), below columns
@group(0) @binding(6) var<storage, read_write> x: array<f32>;      // (rows, columns), padded

// The example and the column that element i of x is of; the column is in the padding from `columns` up.
// `first` is state.row, read before any branch, where software adapters read it once for all lanes.
fn place(p: Params, first: u32, i: u32) -> vec2<u32> {
    let row = i / p.stride;
    return vec2(order[(first + row) & p.mask] - p.first, i - row * p.stride);
}

// x = floats
@compute @workgroup_size(64)
fn floats(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let at = place(p, first, i);
        if at.x >= p.held {
            return;
        }
        x[i] = 0.0;
        if at.y < p.columns {
            x[i] = real[at.x * p.columns + at.y];
        }
    }
}

// x = whole numbers as floats
@compute @workgroup_size(64)
fn counts(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let at = place(p, first, i);
        if at.x >= p.held {
            return;
        }
        x[i] = 0.0;
        if at.y < p.columns {
            x[i] = f32(whole[at.x * p.columns + at.y]);
        }
    }
}

// x = 1 in the column of the class, otherwise 0
@compute @workgroup_size(64)
fn one_hot(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let at = place(p, first, i);
        if at.x >= p.held {
            return;
        }
        x[i] = select(0.0, 1.0, (at.y < p.columns) && (at.y == classes[at.x]));
    }
}
