// The epilogue of the gradients of a weight and of a bias, which is the column sums of dy, the left
// side. The entry file declares `take_gradient`, which stores or uses four of them.
#import product/frame

fn begin_column(p: Product, column: u32) {}

fn finish(p: Product, row: u32, column: u32, value: vec4<f32>) {
    take_gradient(p.result + row * p.result_row + column / 4u, without_padding(p, column, value));
}

fn finish_sums(p: Product, row: u32, sums: vec4<f32>) {
    take_gradient(p.bias + row / 4u, select(vec4(0.0), sums, vec4(row) + FOUR < vec4(p.height)));
}
