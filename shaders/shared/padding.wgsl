const FOUR = vec4(0u, 1u, 2u, 3u);

// The value of quad number i of a matrix of `columns`, zero in the padding behind its rows.
fn within(i: u32, columns: u32, value: vec4<f32>) -> vec4<f32> {
    let column = i % ((columns + 3u) / 4u) * 4u;
    return select(vec4(0.0), value, vec4(column) + FOUR < vec4(columns));
}
