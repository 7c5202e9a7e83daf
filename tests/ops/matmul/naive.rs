use vae_gpu::ops::matmul::{self, Transposed};

use super::{SIZES, forms, oracle};
use crate::check::{self, Guarded};

fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values[column..].iter().step_by(columns).copied()).collect()
}

/// Both sides as they lie and turned.
#[test]
pub fn naive() {
    let Some(gpu) = check::gpu() else { return };
    for [height, depth, width] in SIZES {
        let left = check::random(1, height * depth, -1.0..1.0);
        let right = check::random(2, depth * width, -1.0..1.0);
        let [wide_left, wide_right] = [&left, &right].map(|values| check::wide(values));
        let want = oracle::backward_input(&wide_left, &wide_right, [width, depth]);
        for turned in [[false, false], [false, true], [true, false], [true, true]] {
            let sides = [(&left, [height, depth]), (&right, [depth, width])];
            let on_gpu = std::array::from_fn::<_, 2, _>(|i| {
                let (values, [rows, columns]) = sides[i];
                match turned[i] {
                    false => check::input(gpu, &[rows, columns], values),
                    true => check::input(gpu, &[columns, rows], &transposed(values, columns)),
                }
            });
            let result = Guarded::roomy(gpu, &[height, width]);
            check::run(gpu, |recording| {
                let [left, right] = std::array::from_fn(|i| Transposed(&on_gpu[i], turned[i]));
                let bound = result.tensor.view_matrix(0, &[height, width]);
                matmul::naive(recording, "test", left, right, depth, &bound);
            });
            let what = format!("{height} x {depth} x {width}, turned {turned:?}");
            check::assert_norm(&what, &result.floats(gpu), &want, forms::PRODUCT);
        }
    }
}
