mod oracle;

use oracle::Case;
use serde_json::json;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::Extent;
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::pool::{self, Window};

use crate::check::{self, Guarded};
use crate::maps::{self, ACTIVATIONS, activated, dot, times_slope};

fn cases() -> impl Iterator<Item = Case> {
    [
        ([1, 1, 1, 1], [[1; 2], [1; 2], [0; 2]]),
        ([1, 2, 2, 1], [[2; 2], [2; 2], [0; 2]]),
        ([2, 5, 7, 3], [[2; 2], [2; 2], [0; 2]]),
        ([1, 1, 3, 5], [[3; 2], [2; 2], [1; 2]]),
        ([3, 6, 6, 4], [[3; 2], [1; 2], [1; 2]]),
        ([2, 7, 5, 5], [[3; 2], [2; 2], [1; 2]]),
        ([2, 9, 4, 6], [[2; 2], [3; 2], [0; 2]]),
        ([2, 9, 10, 1], [[3; 2], [5; 2], [1; 2]]),
        ([1, 8, 8, 8], [[2; 2], [1; 2], [1; 2]]),
        ([2, 13, 11, 1], [[5; 2], [2; 2], [2; 2]]),
        ([1, 16, 17, 3], [[16; 2], [1; 2], [8; 2]]),
        ([2, 5, 9, 63], [[1; 2], [2; 2], [0; 2]]),
        ([3, 14, 14, 20], [[2; 2], [2; 2], [0; 2]]),
        ([1, 9, 4, 257], [[3; 2], [3; 2], [0; 2]]),
        ([63, 4, 5, 2], [[3; 2], [2; 2], [1; 2]]),
        ([1, 1, 1757, 3], [[2; 2], [3; 2], [1; 2]]),
        ([2, 57, 31, 1], [[4; 2], [3; 2], [2; 2]]),
        ([2, 7, 9, 3], [[3, 2], [2, 3], [1, 0]]),
        ([1, 5, 8, 5], [[1, 4], [1, 2], [0, 2]]),
        ([3, 9, 4, 1], [[5, 3], [3, 1], [2, 1]]),
        ([1, 17, 16, 2], [[16, 1], [1, 2], [8, 0]]),
        ([1, 1, 1757, 2], [[1, 5], [1, 3], [0, 2]]),
    ]
    .into_iter()
    .map(|(sizes, window)| Case::new(sizes, window))
}

fn small() -> impl Iterator<Item = (Case, Option<Activation>)> {
    cases().filter(|case| case.x_len() < 300).flat_map(|case| ACTIVATIONS.map(|a| (case, a)))
}

fn golden(layer: &str) -> impl Iterator<Item = (Case, maps::Golden)> {
    maps::golden(layer).into_iter().map(|golden| {
        let (&[batch, channels, height, width], window) =
            golden.arguments.split_first_chunk().unwrap();
        let window = match *window {
            [kernel, stride, padding] => [[kernel; 2], [stride; 2], [padding; 2]],
            _ => window.as_chunks().0.try_into().unwrap(),
        };
        (Case::new([batch, height, width, channels], window), golden)
    })
}

#[test]
fn oracles_are_pytorchs() {
    for (case, golden) in golden("max_pool2d") {
        let (y, places) = case.max(&golden.x);
        maps::assert_close(&format!("y of {case:?}"), &y, &golden.y);
        let dx = case.max_backward(&golden.dy, &places);
        maps::assert_close(&format!("dx of {case:?}"), &dx, &golden.dx);
    }
    for (case, golden) in golden("avg_pool2d") {
        maps::assert_close(&format!("y of {case:?}"), &case.avg(&golden.x), &golden.y);
        let dx = case.avg_backward(&golden.dy);
        maps::assert_close(&format!("dx of {case:?}"), &dx, &golden.dx);
    }
}

#[test]
fn maxima_oracle_is_the_gradient() {
    for (case, activation) in small() {
        let pre = check::wide(&check::random(1, case.x_len(), -2.0..2.0));
        let dy = check::wide(&check::random(2, case.y_len(), -1.0..1.0));
        let maxima = |pre: &[f64]| case.max(&activated(activation, pre));
        let dx = case.max_backward(&dy, &maxima(&pre).1);
        let gradient = times_slope(dx, activation, &pre);
        let loss = |pre: &[f64]| dot(&dy, &maxima(pre).0);
        check::assert_gradient(&format!("{case:?}, {activation:?}"), loss, &pre, &gradient);
    }
}

#[test]
fn means_oracle_is_the_gradient() {
    for (case, activation) in small() {
        let pre = check::wide(&check::random(1, case.x_len(), -2.0..2.0));
        let dy = check::wide(&check::random(2, case.y_len(), -1.0..1.0));
        let gradient = times_slope(case.avg_backward(&dy), activation, &pre);
        let loss = |pre: &[f64]| dot(&dy, &case.avg(&activated(activation, pre)));
        check::assert_gradient(&format!("{case:?}, {activation:?}"), loss, &pre, &gradient);
    }
}

fn assert_max(gpu: &Gpu, case: Case, x: &[f32]) {
    let on_x = check::input(gpu, &case.x_shape(), x);
    let y = Guarded::new(gpu, &case.y_shape());
    let indices = Guarded::new(gpu, &[case.indices_len()]);
    check::run(gpu, |recording| {
        pool::max_forward(recording, "test", &case.window, &on_x, &y.tensor, &indices.tensor);
    });
    let (want, places) = case.max(&check::wide(x));
    // Bits, so that NaN equals itself.
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let want: Vec<_> = want.iter().map(|&v| v as f32).collect();
    assert_eq!(bits(&y.floats(gpu)), bits(&want), "{case:?}");
    assert_eq!(case.unpacked(&indices.words(gpu)), places, "{case:?}: indices");
}

/// Few different values, hence many ties.
#[test]
pub fn max_forward() {
    let Some(gpu) = check::gpu() else { return };
    for case in cases() {
        let x = check::random(1, case.x_len(), -1.0..1.0);
        assert_max(gpu, case, &x);
        let coarse: Vec<_> = x.iter().map(|x| (3.0 * x).round() - 4.0).collect();
        assert_max(gpu, case, &coarse);
    }
}

/// NaN wins, as in PyTorch, and the first where there is nothing but −∞.
#[test]
fn maxima_of_what_is_no_number() {
    let Some(gpu) = check::gpu() else { return };
    for case in cases() {
        let pick = |x: f32| match x {
            x if x > 0.8 => f32::NAN,
            x if x > 0.0 => f32::NEG_INFINITY,
            x if x > -0.1 => f32::INFINITY,
            x => x,
        };
        let x = check::random(1, case.x_len(), -1.0..1.0);
        assert_max(gpu, case, &x.into_iter().map(pick).collect::<Vec<_>>());
        assert_max(gpu, case, &vec![f32::NEG_INFINITY; case.x_len()]);
    }
}

fn assert_backward(gpu: &Gpu, case: Case, activation: Option<Activation>, max: bool) {
    let pre = check::random(1, case.x_len(), -2.0..2.0);
    let dy = check::random(2, case.y_len(), -1.0..1.0);
    let origin = maps::origin(activation, &check::input(gpu, &case.x_shape(), &pre));
    let on_dy = check::input(gpu, &case.y_shape(), &dy);
    let guarded = Guarded::new(gpu, &case.x_shape());
    let dx = &guarded.tensor;
    let (pre, dy) = (check::wide(&pre), check::wide(&dy));
    let want = if max {
        let (_, places) = case.max(&activated(activation, &pre));
        let indices = check::input(gpu, &[case.indices_len()], &case.packed(&places));
        check::run(gpu, |recording| {
            pool::max_backward(recording, "test", &case.window, &on_dy, &indices, &origin, dx);
        });
        case.max_backward(&dy, &places)
    } else {
        check::run(gpu, |recording| {
            pool::avg_backward(recording, "test", &case.window, &on_dy, &origin, dx);
        });
        case.avg_backward(&dy)
    };
    let want = times_slope(want, activation, &pre);
    check::assert_norm(&format!("{case:?}, {activation:?}"), &guarded.floats(gpu), &want, 1e-5);
}

#[test]
pub fn max_backward() {
    let Some(gpu) = check::gpu() else { return };
    let cases = cases().flat_map(|case| ACTIVATIONS.map(|a| (case, a)));
    cases.for_each(|(case, activation)| assert_backward(gpu, case, activation, true));
}

#[test]
pub fn avg_backward() {
    let Some(gpu) = check::gpu() else { return };
    let cases = cases().flat_map(|case| ACTIVATIONS.map(|a| (case, a)));
    cases.for_each(|(case, activation)| assert_backward(gpu, case, activation, false));
}

fn assert_avg(gpu: &Gpu, case: Case) {
    let x = check::random(1, case.x_len(), -1.0..1.0);
    let on_x = check::input(gpu, &case.x_shape(), &x);
    let y = Guarded::new(gpu, &case.y_shape());
    check::run(gpu, |recording| {
        pool::avg_forward(recording, "test", &case.window, &on_x, &y.tensor);
    });
    let want = case.avg(&check::wide(&x));
    check::assert_norm(&format!("{case:?}"), &y.floats(gpu), &want, 1e-5);
}

#[test]
pub fn avg_forward() {
    let Some(gpu) = check::gpu() else { return };
    cases().for_each(|case| assert_avg(gpu, case));
}

#[test]
fn windows_that_fit_nowhere_are_none() {
    let input = Extent { height: 4, width: 9 };
    let window = |kernel, stride, padding| Window::new(input, kernel, stride, padding);
    assert_eq!(window(3, 2, 1).unwrap().output, Extent { height: 2, width: 5 });
    for [kernel, stride, padding] in [[5, 1, 0], [0, 1, 0], [2, 0, 0], [3, 1, 2], [17, 1, 8]] {
        assert_eq!(window(kernel, stride, padding), None, "{kernel}, {stride}, {padding}");
    }
    // Each direction by itself.
    let window = |kernel: [usize; 2], padding: [usize; 2]| {
        Window::new(input, kernel, 1, padding).map(|window| window.output)
    };
    assert_eq!(window([4, 9], [0, 0]), Some(Extent { height: 1, width: 1 }));
    for (kernel, padding) in
        [([5, 1], [0, 0]), ([1, 10], [0, 0]), ([4, 1], [0, 1]), ([1, 4], [1, 0]), ([1, 17], [0, 8])]
    {
        assert_eq!(window(kernel, padding), None, "{kernel:?}, {padding:?}");
    }
}

/// The count, not the bindings or the grid, ends the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    // Every pixel is a window, so that all four are copies.
    let case = Case::new([2, 9, 11, 6], [[1; 2], [1; 2], [0; 2]]);
    let (shape, len) = (case.x_shape(), 396);
    let x = check::random(1, case.x_len(), -1.0..1.0);
    let [on_x, pre] = [(); 2].map(|()| maps::ample_input(gpu, shape, &x));
    let constants = [
        ("KERNEL_DOWN", 1),
        ("KERNEL_ACROSS", 1),
        ("STRIDE_DOWN", 1),
        ("STRIDE_ACROSS", 1),
        ("PADDING_DOWN", 0),
        ("PADDING_ACROSS", 0),
    ];
    let params = json!({
        "count": len, "height": 9, "width": 11, "out_height": 9, "out_width": 11, "quads": 2,
    });
    let indices = Guarded::roomy(gpu, &[len]);
    for (entry, max) in [
        ("max_forward", true),
        ("avg_forward", false),
        ("max_backward", true),
        ("avg_backward", false),
    ] {
        let result = Guarded::roomy(gpu, &shape);
        let mut tensors = if entry.ends_with("forward") {
            vec![("x", &on_x), ("y", &result.tensor)]
        } else {
            vec![("dy", &on_x), ("pre", &pre), ("dx", &result.tensor)]
        };
        if max {
            tensors.push(("indices", &indices.tensor));
        }
        maps::run_kernel(gpu, (&pool::SHADER, entry), &constants, &params, &tensors, len);
        assert_eq!(result.floats(gpu), x, "{entry}");
        assert_eq!(indices.words(gpu), vec![0; len], "{entry}");
    }
}
