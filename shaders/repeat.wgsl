// Each example several times in succession, and the sums of the copies' gradients. Matrices are
// (rows, columns), padded; an example is `span` rows.
#import shared/index

struct Params {
    count: u32, // quads of the result
    quads: u32, // of an example
    times: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;  // (examples · span, columns); read only
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;  // (examples · times · span, columns)
@group(0) @binding(3) var<storage, read_write> dy: array<vec4<f32>>; // read only
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

// Examples b · times … b · times + times - 1 of y = example b of x; padding is copied, too.
@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i < p.count {
        let example = i / p.quads;
        y[i] = x[example / p.times * p.quads + i - example * p.quads];
    }
}

// dx = the sums of dy over the copies, in their order.
@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let i = element(invocation);
    let p = params;
    if i < p.count {
        let example = i / p.quads;
        var at = example * p.times * p.quads + i - example * p.quads;
        var sum = vec4(0.0);
        for (var copy = 0u; copy < p.times; copy++) {
            sum += dy[at];
            at += p.quads;
        }
        dx[i] = sum;
    }
}
