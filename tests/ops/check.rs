//! Helpers that all cases share: the adapter, tensors among poison, and comparisons.

use std::sync::OnceLock;

use bytemuck::NoUninit;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use vae_gpu::gpu::{Gpu, Recording, Tensor, padded};

use super::common;

/// Fills whatever a kernel should write but has not, and what it should neither read nor write: NaN
/// as a float, far out of range as an index.
pub const POISON: u32 = 0x7FC0_DEAD;

/// Poisoned elements before and behind a tensor.
pub const MARGIN: usize = Tensor::ALIGNMENT;

/// The adapter that all tests share; without one the test is skipped.
pub fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let gpu = GPU.get_or_init(common::gpu).as_ref();
    if gpu.is_none() {
        common::skip("no adapter");
    }
    gpu
}

/// Records, compiles and submits once.
pub fn run(gpu: &Gpu, record: impl FnOnce(&mut Recording)) {
    let mut recording = Recording::new(gpu.report());
    record(&mut recording);
    recording.compile(gpu).run();
}

/// A tensor with poison on both sides. Those of two dimensions are matrices as the products take
/// them, whose rows are padded: the padding begins as zero and must stay so.
pub struct Guarded {
    arena: Tensor,
    /// The part to bind.
    pub tensor: Tensor,
    shape: Vec<usize>,
}

impl Guarded {
    /// Binds exactly `shape`, as the model does.
    pub fn new(gpu: &Gpu, shape: &[usize]) -> Self {
        Self::with_spare(gpu, shape, 0)
    }

    /// Binds more rows than `shape` has. Many adapters let a shader see nothing past a binding's end,
    /// checks or no checks, and an overrun shows on them only within the binding.
    pub fn roomy(gpu: &Gpu, shape: &[usize]) -> Self {
        let columns: usize = shape[1..].iter().product();
        Self::with_spare(gpu, shape, MARGIN.div_ceil(columns))
    }

    fn with_spare(gpu: &Gpu, shape: &[usize], spare: usize) -> Self {
        let bound = [&[shape[0] + spare], &shape[1..]].concat();
        let words = 2 * MARGIN + bound[0] * stride(shape);
        let arena = Tensor::new(gpu, "arena", &[words], &vec![POISON; words]);
        let poison = vec![POISON; shape.iter().product()];
        Self { tensor: part(&arena, &bound), arena, shape: shape.to_vec() }.fill(gpu, &poison)
    }

    /// Writes all of `shape`, and nothing of the spare rows.
    pub fn fill<T: NoUninit>(self, gpu: &Gpu, values: &[T]) -> Self {
        part(&self.arena, &self.shape).write(gpu, values);
        self
    }

    /// Reads it back; panics if anything around it has changed, or padding is not zero.
    pub fn words(&self, gpu: &Gpu) -> Vec<u32> {
        let words: Vec<u32> = self.arena.read(gpu).unwrap();
        let (shape, stride) = (&self.shape, stride(&self.shape));
        let (before, rest) = words.split_at(MARGIN);
        let (inside, behind) = rest.split_at(shape[0] * stride);
        let overrun = |margin: &[u32]| margin.iter().position(|&word| word != POISON);
        assert_eq!(overrun(before), None, "written before the tensor {shape:?}");
        assert_eq!(overrun(behind), None, "written behind the tensor {shape:?}");
        let columns = shape[1..].iter().product();
        if stride == columns {
            return inside.to_vec();
        }
        let row = |row: &[u32]| {
            let (values, padding) = row.split_at(columns);
            assert!(padding.iter().all(|&word| word == 0), "padding of {shape:?}: {padding:x?}");
            values.to_vec()
        };
        inside.chunks(stride).flat_map(row).collect()
    }

    /// The same as floats.
    pub fn floats(&self, gpu: &Gpu) -> Vec<f32> {
        self.words(gpu).into_iter().map(f32::from_bits).collect()
    }
}

/// Elements from row to row.
fn stride(shape: &[usize]) -> usize {
    let columns = shape[1..].iter().product();
    if shape.len() > 1 { padded(columns) } else { columns }
}

/// `shape` within `arena`, behind a margin.
fn part(arena: &Tensor, shape: &[usize]) -> Tensor {
    let view = if shape.len() > 1 { Tensor::view_matrix } else { Tensor::view };
    view(arena, MARGIN, shape)
}

/// A tensor of `values` with poison on both sides.
pub fn input<T: NoUninit>(gpu: &Gpu, shape: &[usize], values: &[T]) -> Tensor {
    Guarded::new(gpu, shape).fill(gpu, values).tensor
}

/// A tensor of `values` whose binding goes on with poisoned rows: see [`Guarded::roomy`].
pub fn roomy_input<T: NoUninit>(gpu: &Gpu, shape: &[usize], values: &[T]) -> Tensor {
    Guarded::roomy(gpu, shape).fill(gpu, values).tensor
}

/// Panics unless what is recorded writes the padding of a matrix, whose memory holds anything, as zeros.
pub fn assert_pads(gpu: &Gpu, shape: [usize; 2], record: impl FnOnce(&mut Recording, &Tensor)) {
    let [rows, columns] = shape;
    let words = vec![POISON; rows * padded(columns)];
    let arena = Tensor::new(gpu, "arena", &[words.len()], &words);
    run(gpu, |recording| record(recording, &arena.view_matrix(0, &shape)));
    for row in arena.read::<u32>(gpu).unwrap().chunks(padded(columns)) {
        assert!(row[columns..].iter().all(|&word| word == 0), "padding of {shape:?}: {row:x?}");
    }
}

/// Uniform numbers from `range`.
pub fn random(seed: u64, len: usize, range: std::ops::Range<f32>) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random_range(range.clone())).collect()
}

/// The same numbers in 64 bits.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Panics unless |got − want| <= `tolerance` · |want| in the Euclidean norm.
pub fn assert_norm(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(want).map(|(&g, w)| f64::from(g) - w));
    let error = difference / norm(&mut want.iter().copied()).max(f64::MIN_POSITIVE);
    assert!(error <= tolerance, "{what}: relative error {error:.3e} in norm");
}

/// Panics unless |got − want| <= `relative` · |want| + `absolute` in every element.
pub fn assert_each(what: &str, got: &[f32], want: &[f64], relative: f64, absolute: f64) {
    let tolerances: Vec<_> = want.iter().map(|w| relative * w.abs() + absolute).collect();
    assert_within(what, got, want, &tolerances);
}

/// Panics unless |got − want| <= tolerance in every element.
pub fn assert_within(what: &str, got: &[f32], want: &[f64], tolerances: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, ((&g, &w), &tolerance)) in got.iter().zip(want).zip(tolerances).enumerate() {
        let error = (f64::from(g) - w).abs();
        assert!(error <= tolerance, "{what}[{i}]: got {g:e}, want {w:e} within {tolerance:e}");
    }
}

/// Panics unless `gradient` is the derivative of `f` at `x`, by central differences in f64: with a
/// step of 1e-5 their error is about 1e-10 of the values that `f` adds up.
pub fn assert_gradient(what: &str, f: impl Fn(&[f64]) -> f64, x: &[f64], gradient: &[f64]) {
    let step = 1e-5;
    let mut at = x.to_vec();
    for i in 0..x.len() {
        at[i] = x[i] + step;
        let above = f(&at);
        at[i] = x[i] - step;
        let below = f(&at);
        at[i] = x[i];
        let difference = (above - below) / (2.0 * step);
        let error = (difference - gradient[i]).abs() / (1.0 + difference.abs());
        assert!(error < 1e-7, "{what}[{i}]: {} is not {difference}", gradient[i]);
    }
}
