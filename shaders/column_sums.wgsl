// The column sums of a matrix in parts: each workgroup adds up four columns of `rows` rows.
#import shared/index

struct Params {
    height: u32,
    row: u32,    // quads from row to row
    rows: u32,   // of a part
    parts: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;      // read only
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>; // (parts, columns)

var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn parts(invocation: Invocation) {
    let lane = invocation.lane;
    let p = params;
    let number = group_number(invocation);
    let part = number / p.row;
    let quad = number % p.row;
    let end = min(p.height, (part + 1u) * p.rows);
    var sum = vec4(0.0);
    for (var row = part * p.rows + lane; row < end; row += 64u) {
        sum += x[row * p.row + quad];
    }
    sums[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            sums[lane] += sums[lane + width];
        }
    }
    if lane == 0u && part < p.parts {
        result[number] = sums[0];
    }
}
