use serde_json::json;
use vae_gpu::ops::concat;

use crate::check::{self, Guarded};
use crate::maps::{self, dot};

/// Rows of b, rows of a for each, columns of a and of b.
const SIZES: [[usize; 4]; 8] = [
    [1, 1, 1, 1],
    [63, 1, 5, 10],
    [257, 1, 784, 3],
    [5, 1, 1, 1757],
    [1757, 1, 4, 4],
    [1, 63, 3, 2],
    [7, 9, 1, 10],
    [3, 257, 2, 1],
];

/// y
fn beside([_, span, m, n]: [usize; 4], a: &[f64], b: &[f64]) -> Vec<f64> {
    let rows = a.chunks(m).enumerate();
    rows.flat_map(|(row, a)| [a, &b[row / span * n..][..n]].concat()).collect()
}

/// The gradients by a and by b.
fn apart([examples, span, m, n]: [usize; 4], dy: &[f64]) -> [Vec<f64>; 2] {
    let mut gradients = [Vec::new(), vec![0.0; examples * n]];
    for (row, dy) in dy.chunks(m + n).enumerate() {
        gradients[0].extend(&dy[..m]);
        let by_b = gradients[1][row / span * n..].iter_mut();
        by_b.zip(&dy[m..]).for_each(|(sum, dy)| *sum += dy);
    }
    gradients
}

fn inputs([examples, span, m, n]: [usize; 4]) -> [Vec<f32>; 2] {
    [check::random(1, examples * span * m, -1.0..1.0), check::random(2, examples * n, -1.0..1.0)]
}

#[test]
fn oracle_is_the_gradient() {
    for sizes in [[3, 2, 5, 4], [2, 1, 3, 1]] {
        let [a, b] = inputs(sizes).map(|values| check::wide(&values));
        let dy = check::wide(&check::random(3, beside(sizes, &a, &b).len(), -1.0..1.0));
        let [by_a, by_b] = apart(sizes, &dy);
        check::assert_gradient("a", |a| dot(&dy, &beside(sizes, a, &b)), &a, &by_a);
        check::assert_gradient("b", |b| dot(&dy, &beside(sizes, &a, b)), &b, &by_b);
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, span, m, n] in SIZES {
        let [a, b] = inputs(sizes);
        let on_a = check::input(gpu, &[examples * span, m], &a);
        let on_b = check::input(gpu, &[examples, n], &b);
        let shape = [examples * span, m + n];
        let y = Guarded::new(gpu, &shape);
        check::run(gpu, |recording| concat::forward(recording, "test", [&on_a, &on_b], &y.tensor));
        let want = beside(sizes, &check::wide(&a), &check::wide(&b));
        check::assert_each(&format!("{sizes:?}"), &y.floats(gpu), &want, 0.0, 0.0);
        check::assert_pads(gpu, shape, |p, y| concat::forward(p, "test", [&on_a, &on_b], y));
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    for sizes @ [examples, span, m, n] in SIZES {
        let dy = check::random(1, examples * span * (m + n), -1.0..1.0);
        let on_dy = check::input(gpu, &[examples * span, m + n], &dy);
        let want = apart(sizes, &check::wide(&dy));
        let shapes = [[examples * span, m], [examples, n]];
        for ((shape, want), first) in shapes.into_iter().zip(want).zip([0, m]) {
            let dx = Guarded::new(gpu, &shape);
            let record = |p: &mut _, dx: &_| concat::backward(p, "test", &on_dy, first, dx);
            check::run(gpu, |recording| record(recording, &dx.tensor));
            let what = format!("{sizes:?} from {first}");
            check::assert_each(&what, &dx.floats(gpu), &want, 1e-6, 1e-5);
            check::assert_pads(gpu, shape, record);
        }
    }
}

/// The sizes, not the bindings or the grid, end the work; and grids wrap.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (a, b) = (check::random(1, 131 * 3, -1.0..1.0), check::random(2, 131 * 5, -1.0..1.0));
    let on_a = maps::ample_input(gpu, [131, 3], &a);
    let on_b = maps::ample_input(gpu, [131, 5], &b);
    let params = json!({
        "rows": 131, "span": 1, "first": 3, "columns": 8, "row": 8, "a_row": 4, "b_row": 8,
    });
    let y = Guarded::roomy(gpu, &[131, 8]);
    let tensors = [("a", &on_a), ("b", &on_b), ("y", &y.tensor)];
    maps::run_kernel(gpu, (&concat::SHADER, "forward"), &[], &params, &tensors, 131 * 8);
    let want = beside([131, 1, 3, 5], &check::wide(&a), &check::wide(&b));
    check::assert_each("y", &y.floats(gpu), &want, 0.0, 0.0);

    let params = json!({
        "rows": 131, "span": 1, "first": 1, "columns": 4, "row": 4, "a_row": 8, "b_row": 0,
    });
    let dx = Guarded::roomy(gpu, &[131, 4]);
    let tensors = [("dy", &on_b), ("dx", &dx.tensor)];
    maps::run_kernel(gpu, (&concat::SHADER, "backward"), &[], &params, &tensors, 131 * 4);
    let want: Vec<f64> = b.chunks(5).flat_map(|row| &row[1..]).map(|x| f64::from(*x)).collect();
    check::assert_each("dx", &dx.floats(gpu), &want, 0.0, 0.0);
}
