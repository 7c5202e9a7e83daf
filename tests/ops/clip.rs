use vae_gpu::gpu::{Gpu, Recording};
use vae_gpu::ops::clip;

use crate::check;

/// The factor and the norm of `values`.
fn clipped(gpu: &Gpu, values: &[f32], max_norm: f64) -> [f32; 2] {
    // Of one row, so that there are zeros up to fours; poison lies behind.
    let gradient = check::roomy_input(gpu, &[1, values.len()], values);
    let gradient = gradient.view_matrix(0, &[1, values.len()]);
    let mut recording = Recording::new(gpu.report());
    let squares = clip::squares(&mut recording, "test", &gradient);
    let result = clip::factor(&mut recording, "test", &squares, max_norm);
    recording.compile(gpu).run();
    let result: Vec<f32> = result.read(gpu).unwrap();
    [result[0], result[1]]
}

/// `torch.nn.utils.clip_grad_norm_` in f64.
fn oracle(values: &[f32], max_norm: f64) -> [f64; 2] {
    let norm = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    [(max_norm / (norm + 1e-6)).min(1.0), norm]
}

/// The last length has more quads than a pass of all workgroups.
const LENGTHS: [usize; 6] = [1, 4, 63, 257, 1757, 200_003];

#[test]
pub fn squares() {
    let Some(gpu) = check::gpu() else { return };
    for len in LENGTHS {
        // Around the largest float, the sum of squares overflows; the norm may not.
        for size in [1e-12f32, 1e-3, 1.0, 1e15, 1e22, 7e35] {
            let values = check::random(1, len, -size..size);
            let [_, norm] = clipped(gpu, &values, 1.0);
            let [_, want] = oracle(&values, 1.0);
            let what = format!("norm of {len} of {size:e}");
            check::assert_each(&what, &[norm], &[want], 1e-6, 0.0);
        }
    }
}

#[test]
pub fn factor() {
    let Some(gpu) = check::gpu() else { return };
    for len in LENGTHS {
        let values = check::random(2, len, -1.0..1.0);
        let [_, norm] = oracle(&values, 1.0);
        // Far below the norm, just below, just above, far above.
        for max_norm in [1e-6, 0.25, 0.999 * norm, 1.001 * norm, 1e6] {
            let [factor, _] = clipped(gpu, &values, max_norm);
            let [want, _] = oracle(&values, max_norm);
            let what = format!("factor of {len}, {max_norm:e}");
            check::assert_each(&what, &[factor], &[want], 1e-6, 0.0);
            assert_eq!(factor == 1.0, max_norm > norm, "{what}");
        }
        // The addend is all there is.
        let [factor, norm] = clipped(gpu, &vec![0.0; len], 1e-7);
        check::assert_each("factor of nothing", &[factor], &[0.1], 1e-6, 0.0);
        assert_eq!(norm, 0.0);
    }
}

#[test]
fn norms_that_are_no_numbers_are_as_pytorchs() {
    let Some(gpu) = check::gpu() else { return };
    for at in [0, 5, 1756] {
        let mut values = check::random(3, 1757, -1.0..1.0);
        values[at] = f32::INFINITY;
        assert_eq!(clipped(gpu, &values, 1.0), [0.0, f32::INFINITY]);
        values[at] = f32::NAN;
        assert!(clipped(gpu, &values, 1.0).iter().all(|v| v.is_nan()));
        values[at] = f32::MAX;
        let [factor, norm] = clipped(gpu, &values, 1e30);
        let wanted = [1e30 / f64::from(f32::MAX), f32::MAX.into()];
        check::assert_each("one that is huge", &[factor, norm], &wanted, 1e-6, 0.0);
    }
    assert_eq!(clipped(gpu, &[f32::MAX; 2], 1.0), [0.0, f32::INFINITY]);
}
