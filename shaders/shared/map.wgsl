// Image, row, column and quad of channels (x, y, z, w) of quad number i of maps (batch, height,
// width, channels).
fn map_place(i: u32, height: u32, width: u32, quads: u32) -> vec4<u32> {
    let pixel = i / quads;
    let row = pixel / width;
    let image = row / height;
    return vec4(image, row - image * height, pixel - row * width, i - pixel * quads);
}
