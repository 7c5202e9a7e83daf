// A batch of a dataset's column of numbers or classes: the examples at order[state.row …], stored
// without padding, as rows of a padded matrix. One invocation an element, padding included.
#import shared/index
#import shared/state

struct Params {
    count: u32,   // elements of x, with the padding
    columns: u32,
    stride: u32,  // elements of x from row to row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<storage, read> order: array<u32>;        // (count)
@group(0) @binding(3) var<storage, read> real: array<f32>;         // (count, columns)
@group(0) @binding(4) var<storage, read> whole: array<u32>;        // (count, columns)
@group(0) @binding(5) var<storage, read> classes: array<u32>;      // (count), below columns
@group(0) @binding(6) var<storage, read_write> x: array<f32>;      // (rows, columns), padded

// x = floats
@compute @workgroup_size(64)
fn floats(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let row = i / p.stride;
        let column = i - row * p.stride;
        var value = 0.0;
        if column < p.columns {
            value = real[order[first + row] * p.columns + column];
        }
        x[i] = value;
    }
}

// x = whole numbers as floats
@compute @workgroup_size(64)
fn counts(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let row = i / p.stride;
        let column = i - row * p.stride;
        var value = 0.0;
        if column < p.columns {
            value = f32(whole[order[first + row] * p.columns + column]);
        }
        x[i] = value;
    }
}

// x = 1 in the column of the class, otherwise 0
@compute @workgroup_size(64)
fn one_hot(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    let first = state.row;
    if i < p.count {
        let row = i / p.stride;
        let column = i - row * p.stride;
        x[i] = select(0.0, 1.0, (column < p.columns) && (column == classes[order[first + row]]));
    }
}
