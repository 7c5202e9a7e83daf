// Common part of the forms that compute the products of several layers in a dispatch.
#import product/frame
#import product/same_rows
#import product/VARIANT

struct Layers { depth: u32, count: u32, @align(16) tasks: array<Task, TASKS> }

struct Task {
    tile: u32,           // number of its first tile
    height: u32,         // outputs
    width: u32,          // inputs
    left: u32,           // first quad of dy
    right: u32,          // first quad of x
    left_row: u32,       // quads from row to row
    right_row: u32,
    weight: u32,         // first quad of the weight, or of its gradient
    result_row: u32,     // quads of the weight from row to row
    @size(12) bias: u32, // first quad of the bias; padded to the 16 bytes that uniforms require
}

fn multiply_layers(number: u32, lane: u32) {
    let tile = number * TILES;
    var i = 0u;
    while i + 1u < params.layers.count && params.layers.tasks[i + 1u].tile <= tile {
        i++;
    }
    let t = params.layers.tasks[i];
    let p = Product(t.height, t.width, params.layers.depth, t.left, t.right, t.left_row, t.right_row, t.weight, t.result_row, t.bias);
    multiply(p, (tile - t.tile) / TILES, lane);
}
