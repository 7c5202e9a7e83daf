// The result's rows in memory, which are in the product's order.
#import product/frame

fn result_rows(p: Product, row: u32) -> vec4<u32> {
    return vec4(row) + FOUR;
}
