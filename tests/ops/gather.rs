use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use vae_gpu::gpu::{Gpu, Tensor};
use vae_gpu::ops::gather::{self, Corruption, Source};
use vae_gpu::ops::{Extent, State, Stream};

use crate::check::{self, Guarded};
use crate::noise;

struct Dataset {
    pixels: usize,
    bytes: Vec<u8>,
    order: Vec<u32>,
}

impl Dataset {
    fn new(count: usize, pixels: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let bytes = (0..count * pixels).map(|_| rng.random()).collect();
        let mut order: Vec<_> = (0..count as u32).collect();
        order.shuffle(&mut rng);
        Self { pixels, bytes, order }
    }

    /// The state at `row`, the packed images and the order.
    fn upload(&self, gpu: &Gpu, row: usize) -> [Tensor; 3] {
        let state = State::tensor(gpu, "state");
        State { row: row as u32, step: 3, epoch: 5, ..State::default() }.write(gpu, &state);
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len().next_multiple_of(4), 0xAB);
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
        let images = check::input(gpu, &[words.len()], &words);
        [state, images, check::input(gpu, &[self.order.len()], &self.order)]
    }

    fn batch(&self, row: usize, rows: usize) -> Vec<f64> {
        let images = self.order[row..row + rows].iter().map(|&image| image as usize);
        images
            .flat_map(|image| &self.bytes[image * self.pixels..][..self.pixels])
            .map(|&byte| f64::from(byte) / 255.0)
            .collect()
    }
}

/// Grey images of one row of pixels.
fn source<'a>(dataset: &Dataset, images: &'a Tensor, order: &'a Tensor) -> Source<'a> {
    Source { images, order, channels: 1, extent: Extent { height: 1, width: dataset.pixels } }
}

/// Images in the dataset, pixels, first row and rows of the batch.
const CASES: [[usize; 4]; 8] = [
    [1, 1, 0, 1],
    [7, 1, 2, 5],
    [63, 63, 0, 63],
    [9, 257, 4, 5],
    [11, 1757, 7, 4],
    [257, 4, 250, 7],
    [1757, 2, 0, 1757],
    [130, 784, 128, 2],
];

/// What a batch draws for its noise; the state is at step 3.
fn noise_oracle(len: usize) -> Vec<f64> {
    noise::oracle(noise::SEED, Stream::Train, 3, len)
}

#[test]
pub fn batch() {
    let Some(gpu) = check::gpu() else { return };
    for (i, [count, pixels, row, rows]) in CASES.into_iter().enumerate() {
        let dataset = Dataset::new(count, pixels);
        let [state, images, order] = dataset.upload(gpu, row);
        let x = Guarded::new(gpu, &[rows, pixels]);
        let len = [1, 2, 3, 63, 257, 1757, 4, 40][i];
        let epsilon = Guarded::new(gpu, &[len]);
        check::run(gpu, |plan| {
            let noise = Some((noise::SEED, Stream::Train));
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            let source = source(&dataset, &images, &order);
            gather::batch(plan, "test", &state, &source, x, false, None, noise, epsilon);
        });
        let what = format!("rows {row}.. of {count} x {pixels}");
        // A division may be wrong by 2.5 units in the last place; zero stays zero.
        check::assert_each(&what, &x.floats(gpu), &dataset.batch(row, rows), 3e-7, 0.0);
        // As in noise.rs.
        check::assert_each(&what, &epsilon.floats(gpu), &noise_oracle(len), 0.0, 1e-3);
        check::assert_norm(&what, &epsilon.floats(gpu), &noise_oracle(len), 1e-5);
    }
}

#[test]
fn without_a_seed_there_is_no_noise() {
    let Some(gpu) = check::gpu() else { return };
    let dataset = Dataset::new(5, 63);
    let [state, images, order] = dataset.upload(gpu, 1);
    let x = Guarded::new(gpu, &[3, 63]);
    let epsilon = Guarded::new(gpu, &[70]);
    check::run(gpu, |plan| {
        let (x, epsilon) = (&x.tensor, &epsilon.tensor);
        let source = source(&dataset, &images, &order);
        gather::batch(plan, "test", &state, &source, x, false, None, None, epsilon);
    });
    check::assert_each("x", &x.floats(gpu), &dataset.batch(1, 3), 3e-7, 0.0);
    assert_eq!(epsilon.words(gpu), [check::POISON; 70]);
}

/// Channels come last in maps.
#[test]
fn maps_have_their_channels_last() {
    let Some(gpu) = check::gpu() else { return };
    for (channels, height, width) in [(1, 1, 1), (1, 7, 9), (3, 1, 63), (3, 5, 3)] {
        let (places, count, rows) = (height * width, 9, 4);
        let dataset = Dataset::new(count, channels * places);
        let [state, images, order] = dataset.upload(gpu, 3);
        let x = Guarded::roomy(gpu, &[rows * places, channels]);
        let epsilon = Guarded::new(gpu, &[1]);
        let extent = Extent { height, width };
        let source = Source { images: &images, order: &order, channels, extent };
        check::run(gpu, |plan| {
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            // The wrapper takes the batch from x, which goes on with poison here.
            let x = x.view_matrix(0, &[rows * places, channels]);
            gather::batch(plan, "test", &state, &source, &x, true, None, None, epsilon);
        });
        let flat = dataset.batch(3, rows);
        let at = |i: usize| {
            let (image, place, channel) =
                (i / channels / places, i / channels % places, i % channels);
            flat[(image * channels + channel) * places + place]
        };
        let want: Vec<f64> = (0..flat.len()).map(at).collect();
        check::assert_each("maps", &x.floats(gpu), &want, 3e-7, 0.0);
    }
}

/// A batch of 40 images of 63 pixels at `step` and as it is after it was corrupted.
fn corrupted(gpu: &Gpu, corruption: Corruption, stream: Stream, step: u32) -> [Vec<f32>; 2] {
    let dataset = Dataset::new(40, 63);
    let [state, images, order] = dataset.upload(gpu, 0);
    State { step, ..State::default() }.write(gpu, &state);
    let run = |corruption| {
        let x = Guarded::new(gpu, &[40, 63]);
        let epsilon = Guarded::new(gpu, &[1]);
        check::run(gpu, |plan| {
            let source = source(&dataset, &images, &order);
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            gather::batch(plan, "test", &state, &source, x, false, corruption, None, epsilon);
        });
        x.floats(gpu)
    };
    [run(None), run(Some((corruption, (noise::SEED, stream))))]
}

#[test]
fn gaussian_corruption_is_noise_cut_off_at_black_and_white() {
    let Some(gpu) = check::gpu() else { return };
    let spread = 0.3;
    let corruption = Corruption::Gaussian(spread);
    let [clean, got] = corrupted(gpu, corruption, Stream::Corrupt, 3);
    // Four draws for each quad of a row, whose last one has one too many.
    let draws = noise::oracle(noise::SEED, Stream::Corrupt, 3, 40 * 64);
    let noise = draws.chunks(64).flat_map(|row| &row[..63]);
    let want: Vec<f64> = clean
        .iter()
        .zip(noise)
        .map(|(pixel, draw)| (f64::from(*pixel) + spread * draw).clamp(0.0, 1.0))
        .collect();
    check::assert_each("gaussian", &got, &want, 0.0, 1e-3);
    let others = [(Stream::CorruptEvaluate, 3), (Stream::Corrupt, 4)];
    for (stream, step) in others {
        assert_ne!(corrupted(gpu, corruption, stream, step)[1], got, "{stream:?} {step}");
    }
}

#[test]
fn masking_sets_its_share_of_the_pixels_to_zero() {
    let Some(gpu) = check::gpu() else { return };
    for share in [0.0, 0.25, 1.0] {
        let corruption = Corruption::Masking(share);
        let [clean, got] = corrupted(gpu, corruption, Stream::Corrupt, 3);
        let pairs = || clean.iter().zip(&got).filter(|(clean, _)| **clean > 0.0);
        assert!(pairs().all(|(clean, got)| *got == 0.0 || got == clean));
        let masked = pairs().filter(|(_, got)| **got == 0.0).count() as f64;
        let (of, wrong) = (pairs().count() as f64, masked - share * pairs().count() as f64);
        // Four standard deviations.
        assert!(
            wrong.abs() <= 4.0 * (of * share * (1.0 - share)).sqrt(),
            "{share}: {masked} of {of}"
        );
    }
}

/// The numbers of rows and of noise, not the bindings or the grid, end the work.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (rows, pixels, len) = (3, 63, 5);
    let dataset = Dataset::new(10, pixels);
    let [state, images, order] = dataset.upload(gpu, 1);
    let x = Guarded::roomy(gpu, &[rows, pixels]);
    let epsilon = Guarded::roomy(gpu, &[len]);
    check::run(gpu, |plan| {
        let tensors = [
            ("state", &state),
            ("images", &images),
            ("order", &order),
            ("x", &x.tensor),
            ("epsilon", &epsilon.tensor),
        ];
        let [low, high] = [noise::SEED as u32, (noise::SEED >> 32) as u32];
        let sizes = [rows, 1, pixels, x.tensor.stride() / 4, images.len(), len];
        let sizes = sizes.map(|n| n as u32);
        let params: Vec<u32> = [&sizes[..], &[low, high, Stream::Train as u32, 0, 0, 0]].concat();
        let params: [u32; 12] = params.try_into().unwrap();
        let kernel = gpu.kernel(&gather::SHADER, "batch", &[("MAPS", 0), ("CORRUPTION", 0)]);
        plan.record_flat(kernel, "test", &params, &tensors, 4);
    });
    check::assert_each("x", &x.floats(gpu), &dataset.batch(1, rows), 3e-7, 0.0);
    check::assert_each("epsilon", &epsilon.floats(gpu), &noise_oracle(len), 0.0, 1e-3);
}

/// More workgroups than most adapters take along x.
#[test]
fn grids_wrap_into_y() {
    let Some(gpu) = check::gpu() else { return };
    let rows = 65_535 * 64 + 257;
    let dataset = Dataset::new(rows, 1);
    let [state, images, order] = dataset.upload(gpu, 0);
    let x = Guarded::new(gpu, &[rows, 1]);
    let epsilon = Guarded::new(gpu, &[63]);
    check::run(gpu, |plan| {
        let noise = Some((noise::SEED, Stream::Train));
        let (x, epsilon) = (&x.tensor, &epsilon.tensor);
        let source = source(&dataset, &images, &order);
        gather::batch(plan, "test", &state, &source, x, false, None, noise, epsilon);
    });
    check::assert_each("x", &x.floats(gpu), &dataset.batch(0, rows), 3e-7, 0.0);
    check::assert_norm("epsilon", &epsilon.floats(gpu), &noise_oracle(63), 1e-5);
}
