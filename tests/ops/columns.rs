use bytemuck::NoUninit;
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::State;
use vae_gpu::ops::columns::{self, Order};

use crate::check::{self, Guarded};
use crate::maps;

/// Rows of the dataset, columns, first row and rows of the batch.
const CASES: [[usize; 4]; 8] = [
    [1, 1, 0, 1],
    [7, 1, 2, 5],
    [63, 63, 0, 63],
    [9, 257, 4, 5],
    [11, 1757, 7, 4],
    [257, 4, 250, 7],
    [1757, 2, 0, 1757],
    [130, 10, 128, 2],
];

type Op = fn(&mut Recording, &str, &Order, &Tensor, &Tensor);

fn order(count: usize) -> Vec<u32> {
    let mut order: Vec<_> = (0..count as u32).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    order
}

/// A dataset's values, packed, and the state at `row` with an order.
fn upload<T: NoUninit>(gpu: &Gpu, row: usize, shape: &[usize], values: &[T]) -> [Tensor; 3] {
    let state = State::tensor("state");
    State { row: row as u32, step: 3, epoch: 5, ..State::default() }.write(gpu, &state);
    let on_order = check::input(gpu, &[shape[0]], &order(shape[0]));
    [state, on_order, check::input(gpu, &[values.len()], values).view(0, shape)]
}

/// Asserts that `op` makes of `values` what `want` says of the row of the dataset and the column.
fn assert_batch<T: NoUninit>(
    gpu: &Gpu,
    (name, op): (&str, Op),
    [count, columns, row, rows]: [usize; 4],
    (shape, values): (&[usize], &[T]),
    want: impl Fn(usize, usize) -> f32,
) {
    let [state, indices, values] = upload(gpu, row, shape, values);
    let x = Guarded::new(gpu, &[rows, columns]);
    let source = Order::of_all(&state, &indices);
    check::run(gpu, |recording| op(recording, "test", &source, &values, &x.tensor));
    // The same in two parts, the second of which begins where a view may.
    let (cut, in_parts) = (count / 2 / 64 * 64, Guarded::new(gpu, &[rows, columns]));
    if cut > 0 {
        let of_part = |held: std::ops::Range<usize>| {
            let shape: Vec<_> = [held.len()].into_iter().chain(shape[1..].to_vec()).collect();
            (values.view(held.start * values.columns(), &shape), Order { held, ..source.clone() })
        };
        check::run(gpu, |recording| {
            for (values, order) in [0..cut, cut..count].map(of_part) {
                op(recording, "test", &order, &values, &in_parts.tensor);
            }
        });
        assert_eq!(in_parts.words(gpu), x.words(gpu), "{name}: in parts");
    }
    let examples = order(count)[row..row + rows].to_vec();
    let of_row = |&example: &u32| (0..columns).map(move |column| (example as usize, column));
    let places = examples.iter().flat_map(of_row);
    let want: Vec<_> = places.map(|(example, column)| want(example, column)).collect();
    assert_eq!(x.floats(gpu), want, "{name}: rows {row}.. of {count} x {columns}");
    check::assert_pads(gpu, [rows, columns], |p, x| op(p, "test", &source, &values, x));
}

#[test]
pub fn floats() {
    let Some(gpu) = check::gpu() else { return };
    for case @ [count, columns, ..] in CASES {
        let values = check::random(2, count * columns, -1e3..1e3);
        let want = |row: usize, column: usize| values[row * columns + column];
        let op = ("floats", columns::floats as Op);
        assert_batch(gpu, op, case, (&[count, columns], &values), want);
    }
}

#[test]
pub fn counts() {
    let Some(gpu) = check::gpu() else { return };
    for case @ [count, columns, ..] in CASES {
        let values: Vec<_> = (0..count * columns).map(|i| i as u32 * 9_973 % (1 << 24)).collect();
        let want = |row: usize, column: usize| values[row * columns + column] as f32;
        let op = ("counts", columns::counts as Op);
        assert_batch(gpu, op, case, (&[count, columns], &values), want);
    }
}

#[test]
pub fn one_hot() {
    let Some(gpu) = check::gpu() else { return };
    for case @ [count, columns, ..] in CASES {
        // One more class than there are columns: it has none.
        let classes: Vec<_> = (0..count).map(|i| (i * 7 % (columns + 1)) as u32).collect();
        let want = |row: usize, column: usize| f32::from(classes[row] as usize == column);
        let op = ("one_hot", columns::one_hot as Op);
        assert_batch(gpu, op, case, (&[count], &classes), want);
    }
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (rows, columns) = (131, 5);
    let values = check::random(1, rows * columns, -1.0..1.0);
    let state = State::tensor("state");
    // There are more indices, which a kernel could read.
    let spare = check::MARGIN;
    let indices: Vec<u32> = (0..rows as u32).chain(vec![0; spare]).collect();
    let indices = check::input(gpu, &[rows + spare], &indices);
    let params = json!({
        "count": 8 * rows, "columns": columns, "stride": 8,
        "mask": u32::MAX, "first": 0, "held": rows,
    });
    let x = Guarded::roomy(gpu, &[rows, columns]);
    let real = check::input(gpu, &[rows * columns], &values);
    let tensors = [("state", &state), ("order", &indices), ("real", &real), ("x", &x.tensor)];
    maps::run_kernel(gpu, (&columns::SHADER, "floats"), &[], &params, &tensors, 8 * rows);
    assert_eq!(x.floats(gpu), values);
    let words: Vec<u32> = (0..(rows * columns) as u32).collect();
    let whole = check::input(gpu, &[rows * columns], &words);
    let x = Guarded::roomy(gpu, &[rows, columns]);
    let tensors = [("state", &state), ("order", &indices), ("whole", &whole), ("x", &x.tensor)];
    maps::run_kernel(gpu, (&columns::SHADER, "counts"), &[], &params, &tensors, 8 * rows);
    assert_eq!(x.floats(gpu), words.iter().map(|&word| word as f32).collect::<Vec<_>>());
    let classes = check::input(gpu, &[rows], &vec![4u32; rows]);
    let x = Guarded::roomy(gpu, &[rows, columns]);
    let tensors = [("state", &state), ("order", &indices), ("classes", &classes), ("x", &x.tensor)];
    maps::run_kernel(gpu, (&columns::SHADER, "one_hot"), &[], &params, &tensors, 8 * rows);
    assert_eq!(x.floats(gpu), [0.0, 0.0, 0.0, 0.0, 1.0].repeat(rows));
}
