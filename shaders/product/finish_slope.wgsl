// The epilogue of a gradient that is multiplied by an activation's derivative. The entry file
// declares `pre` and `result`.
#import product/frame
#import shared/activation

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    let at = row * p.result_row + column / 4u;
    result[at] = without_padding(p, column, value * slope_four(pre[at]));
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {}
