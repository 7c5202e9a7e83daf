//! The ops on maps other than products, whose time is that of moving bytes.

use super::Suite;
use super::ops::{state, time};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Plan, Recording, Tensor};
use vae_gpu::ops::activation::{Activation, Origin};
use vae_gpu::ops::dropout::Mask;
use vae_gpu::ops::pool::Window;
use vae_gpu::ops::{self, Extent};

const BATCH: usize = 128;
/// Side and channels of a map that fits in caches, of one that does not, and of images.
const MAPS: [[usize; 2]; 3] = [[7, 64], [28, 32], [32, 3]];
/// The activation whose output x is taken to be.
const ACTIVATION: Option<Activation> = Some(Activation::Relu);
const MASK: Mask = Mask { probability: 0.1, seed: 1, layer: 0 };
const FACTOR: usize = 2;
/// Kernel, stride and padding of the pooling windows.
const WINDOWS: [[usize; 3]; 2] = [[2, 2, 0], [3, 2, 1]];

fn came_from(pre: &Tensor) -> Origin {
    Origin { activation: ACTIVATION, pre: pre.clone() }
}

fn map([side, channels]: [usize; 2]) -> [usize; 2] {
    [BATCH * side * side, channels]
}

/// A plan's tensors, filled with random values.
fn tensors(gpu: &Gpu, shapes: &[[usize; 2]]) -> Vec<Tensor> {
    let tensor = |(seed, shape): (u64, &[usize; 2])| {
        let tensor = Tensor::matrix("bench", shape);
        tensor.write(gpu, &super::random(seed, tensor.len()));
        tensor
    };
    (1..).zip(shapes).map(tensor).collect()
}

/// Times a plan that reads and writes each of `moved` once, and writes `output`.
fn measure(
    suite: &mut Suite,
    operation: &str,
    [side, channels]: [usize; 2],
    variant: &str,
    moved: &[&Tensor],
    output: &Tensor,
    plan: &Plan,
) -> Result<()> {
    let bytes = moved.iter().map(|tensor| 4.0 * tensor.len() as f64).sum();
    let shape = [BATCH, side, side, channels];
    // The output is zeroed first, which the check of the result would find.
    output.write(&suite.gpu, &vec![0f32; output.len()]);
    time(suite, operation, (&shape, variant), [0.0, bytes], &[output], plan)
}

/// Measures the ops that process elements one by one.
pub(super) fn elements(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let state = state(&gpu);
    for sizes in MAPS {
        let all = tensors(&gpu, &[map(sizes); 4]);
        let [a, b, pre, y] = &all[..] else { unreachable!() };
        let mut recording = Recording::new(gpu.report());
        let p = &mut recording;
        let moved = match operation {
            "activate.forward" => {
                ops::activate::forward(p, "bench", a, ACTIVATION, y);
                vec![a, y]
            }
            "activate.backward" => {
                ops::activate::backward(p, "bench", a, &came_from(pre), y);
                vec![a, pre, y]
            }
            "add.forward" => {
                ops::add::forward(p, "bench", [a, b], ACTIVATION, pre, y);
                vec![a, b, pre, y]
            }
            "add.backward" => {
                ops::add::backward(p, "bench", a, b, &came_from(pre), y);
                vec![a, b, pre, y]
            }
            "dropout.forward" => {
                ops::dropout::forward(p, "bench", &MASK, &state, a, y);
                vec![a, y]
            }
            "dropout.backward" => {
                ops::dropout::backward(p, "bench", &MASK, &state, a, &came_from(pre), y);
                vec![a, pre, y]
            }
            _ => unreachable!("{operation}"),
        };
        measure(suite, operation, sizes, "", &moved, y, &recording.compile(&gpu))?;
    }
    Ok(())
}

pub(super) fn pool(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for (sizes, window) in MAPS.into_iter().flat_map(|sizes| WINDOWS.map(|w| (sizes, w))) {
        let [kernel, stride, padding] = window;
        let extent = Extent { height: sizes[0], width: sizes[0] };
        let window = Window::new(extent, kernel, stride, padding).expect("a window that fits");
        let y_shape = [BATCH * window.output.height * window.output.width, sizes[1]];
        let all = tensors(&gpu, &[map(sizes), map(sizes), y_shape]);
        let [x, pre, y] = &all[..] else { unreachable!() };
        // Zeros: every maximum is taken to be in the corner of its window.
        let indices = Tensor::zeros("bench", &[y.extent() / 4]);
        let mut recording = Recording::new(gpu.report());
        let p = &mut recording;
        let (moved, output) = match operation {
            "pool.max_forward" => {
                ops::pool::max_forward(p, "bench", &window, x, y, &indices);
                (vec![x, y, &indices], y)
            }
            "pool.max_backward" => {
                ops::pool::max_backward(p, "bench", &window, y, &indices, &came_from(pre), x);
                (vec![y, &indices, pre, x], x)
            }
            "pool.avg_forward" => {
                ops::pool::avg_forward(p, "bench", &window, x, y);
                (vec![x, y], y)
            }
            "pool.avg_backward" => {
                ops::pool::avg_backward(p, "bench", &window, y, &came_from(pre), x);
                (vec![y, pre, x], x)
            }
            _ => unreachable!("{operation}"),
        };
        let variant = format!("{kernel}x{kernel} by {stride}");
        measure(suite, operation, sizes, &variant, &moved, output, &recording.compile(&gpu))?;
    }
    Ok(())
}

pub(super) fn upsample(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for sizes in MAPS {
        let [rows, channels] = map(sizes);
        let y_shape = [rows * FACTOR * FACTOR, channels];
        let all = tensors(&gpu, &[map(sizes), map(sizes), y_shape]);
        let [x, pre, y] = &all[..] else { unreachable!() };
        let extent = Extent { height: sizes[0], width: sizes[0] };
        let mut recording = Recording::new(gpu.report());
        let (moved, output) = if operation.ends_with("forward") {
            ops::upsample::forward(&mut recording, "bench", FACTOR.into(), x, extent, y);
            (vec![x, y], y)
        } else {
            ops::upsample::backward(
                &mut recording,
                "bench",
                FACTOR.into(),
                y,
                &came_from(pre),
                extent,
                x,
            );
            (vec![y, pre, x], x)
        };
        measure(suite, operation, sizes, "", &moved, output, &recording.compile(&gpu))?;
    }
    Ok(())
}

/// Measures the pixel shuffle with results of the maps' sizes.
pub(super) fn pixel_shuffle(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for [side, channels] in MAPS {
        let (side, square) = (side.next_multiple_of(FACTOR), FACTOR * FACTOR);
        let [rows, _] = map([side, channels]);
        let x_shape = [rows / square, channels * square];
        let all = tensors(&gpu, &[x_shape, x_shape, [rows, channels]]);
        let [x, pre, y] = &all[..] else { unreachable!() };
        let extent = Extent { height: side / FACTOR, width: side / FACTOR };
        let mut recording = Recording::new(gpu.report());
        let (moved, output) = if operation.ends_with("forward") {
            ops::pixel_shuffle::forward(&mut recording, "bench", FACTOR, x, extent, y);
            (vec![x, y], y)
        } else {
            let origin = came_from(pre);
            ops::pixel_shuffle::backward(&mut recording, "bench", FACTOR, y, &origin, extent, x);
            (vec![y, pre, x], x)
        };
        measure(suite, operation, [side, channels], "", &moved, output, &recording.compile(&gpu))?;
    }
    Ok(())
}

pub(super) fn reshape(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for ([side, channels], backward) in MAPS.into_iter().flat_map(|m| [(m, false), (m, true)]) {
        let flat = [BATCH, channels * side * side];
        let both = [map([side, channels]), flat];
        let all = tensors(&gpu, &[both, both].concat());
        let [map, features, map_pre, features_pre] = &all[..] else { unreachable!() };
        let mut recording = Recording::new(gpu.report());
        let (pre, output) = match operation {
            "reshape.flatten" => (features_pre, features),
            "reshape.unflatten" => (map_pre, map),
            _ => unreachable!("{operation}"),
        };
        let origin = backward.then(|| came_from(pre));
        if operation == "reshape.flatten" {
            ops::reshape::flatten(&mut recording, "bench", map, origin.as_ref(), features);
        } else {
            ops::reshape::unflatten(&mut recording, "bench", features, origin.as_ref(), map);
        }
        let (variant, moved) = if backward {
            ("backward", vec![map, features, pre])
        } else {
            ("", vec![map, features])
        };
        measure(
            suite,
            operation,
            [side, channels],
            variant,
            &moved,
            output,
            &recording.compile(&gpu),
        )?;
    }
    Ok(())
}
