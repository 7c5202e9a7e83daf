// Rows of matrices are quads, four columns each, and padded with zeros.

const FOUR = vec4(0u, 1u, 2u, 3u);

// Which elements of a row's quad number `column` are not padding.
fn unpadded(column: u32, columns: u32) -> vec4<bool> {
    return vec4(4u * column) + FOUR < vec4(columns);
}

// The value of quad number i of a matrix of `columns`, zero in the padding behind its rows.
fn within(i: u32, columns: u32, value: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), value, unpadded(i % ((columns + 3u) / 4u), columns));
}
