// What the forms that take several layers at once have in common.
struct Task {
    tile: u32,       // the first of its tiles
    height: u32,     // outputs
    width: u32,      // inputs
    left: u32,       // dy, the first quad
    right: u32,      // x, likewise
    left_row: u32,   // quads from row to row
    right_row: u32,
    weight: u32,     // the gradient's or parameter's first quad
    result_row: u32, // its quads from row to row
    bias: u32,       // first quad
    pad0: u32,
    pad1: u32,
}

fn product(t: Task, depth: u32) -> Product {
    return Product(t.height, t.width, depth, t.left, t.right, t.left_row, t.right_row, t.weight, t.result_row, t.bias);
}
