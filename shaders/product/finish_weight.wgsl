// The epilogue of the gradients of a weight and, the column sums of the left side, of a bias. It is
// completed by whoever takes four of them in `take_gradient`.
#import product/frame

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    take_gradient(p.result + row * p.result_row + column / 4u, without_padding(p, column, value));
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {
    take_gradient(p.bias + row / 4u, select(vec4(0.0), sums, vec4(row) + FOUR < vec4(p.height)));
}
