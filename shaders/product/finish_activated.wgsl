// The epilogue with a bias and an activation. The entry file declares `bias`, `pre` and `result`.
#import product/frame
#import shared/activation

var<private> added: vec4<f32>;

fn begin_column(p: Product, column: u32) {
    added = bias[min(column, p.width - 1u) / 4u]; // a tile may be wider than the result
}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let at = row * p.result_row + column / 4u;
    let x = value + added;
    pre[at] = without_padding(p, column, x);
    result[at] = without_padding(p, column, activate_four(x));
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {}
