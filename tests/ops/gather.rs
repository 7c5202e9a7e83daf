use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;
use vae_gpu::gpu::{Gpu, Tensor};
use vae_gpu::ops::columns::Order;
use vae_gpu::ops::gather::{self, Corruption, Drawn, Source};
use vae_gpu::ops::{Extent, State, Stream};

use crate::check::{self, Guarded};
use crate::noise;
use crate::threefry::threefry;

/// Draws by the seed of the noise's oracle.
const SEEDED: Drawn = Drawn { seed: noise::SEED, noise: None, corruption: None, binarized: None };

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
        let state = State::tensor("state");
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
fn source<'a>(dataset: &Dataset, images: &'a Tensor, order: Order<'a>) -> Source<'a> {
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

/// The noise that a batch draws; the state is at step 3.
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
        check::run(gpu, |recording| {
            let noise = Some(Stream::Train);
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            let source = source(&dataset, &images, Order::of_all(&state, &order));
            gather::batch(
                recording,
                "test",
                &[source],
                x,
                false,
                &Drawn { noise, ..SEEDED },
                epsilon,
            );
        });
        let what = format!("rows {row}.. of {count} x {pixels}");
        // A division may be wrong by 2.5 units in the last place; zero stays zero.
        check::assert_each(&what, &x.floats(gpu), &dataset.batch(row, rows), 3e-7, 0.0);
        // The tolerances are those of noise.rs.
        check::assert_each(&what, &epsilon.floats(gpu), &noise_oracle(len), 0.0, 1e-3);
        check::assert_norm(&what, &epsilon.floats(gpu), &noise_oracle(len), 1e-5);
    }
}

/// A dataset in three parts, each in a buffer of its own, gives the bits of one in a single buffer, as
/// features and as maps, the corruption and the noise included.
#[test]
fn parts_of_a_dataset_give_what_the_whole_gives() {
    let Some(gpu) = check::gpu() else { return };
    for [count, places, row, rows] in [[63, 63, 3, 57], [257, 4, 250, 7], [257, 49, 0, 257]] {
        let dataset = Dataset::new(count, places);
        let [state, images, order] = dataset.upload(gpu, row);
        let bounds = [0, 4, count / 2 / 4 * 4, count];
        let parts = bounds.windows(2).map(|bounds| {
            let mut bytes = dataset.bytes[bounds[0] * places..bounds[1] * places].to_vec();
            bytes.resize(bytes.len().next_multiple_of(4), 0xAB);
            let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
            (bounds[0]..bounds[1], check::input(gpu, &[words.len()], &words))
        });
        let parts: Vec<_> = parts.collect();
        for maps in [false, true] {
            let shape = if maps { [rows * places, 1] } else { [rows, places] };
            let made = |in_parts: bool| {
                let (x, epsilon) = (Guarded::new(gpu, &shape), Guarded::new(gpu, &[70]));
                check::run(gpu, |recording| {
                    let all = Order::of_all(&state, &order);
                    let part = |(held, images)| Source {
                        order: Order { held, ..all.clone() },
                        ..source(&dataset, images, all.clone())
                    };
                    let sources: Vec<_> = match in_parts {
                        true => parts
                            .iter()
                            .map(|(held, images)| part((held.clone(), images)))
                            .collect(),
                        false => vec![source(&dataset, &images, all.clone())],
                    };
                    let noise = Some(Stream::Train);
                    let corruption = Some((Corruption::Masking(0.3), Stream::Corrupt));
                    let drawn = Drawn { noise, corruption, ..SEEDED };
                    let (x, epsilon) = (&x.tensor, &epsilon.tensor);
                    gather::batch(recording, "test", &sources, x, maps, &drawn, epsilon);
                });
                (x.words(gpu), epsilon.words(gpu))
            };
            assert!(made(true) == made(false), "rows {row}.. of {count} x {places}, maps: {maps}");
        }
    }
}

/// A ring of 64 positions, in which the batch's lie across its end.
#[test]
fn positions_are_taken_modulo_a_rings_length() {
    let Some(gpu) = check::gpu() else { return };
    let dataset = Dataset::new(63, 257);
    let [state, images, _] = dataset.upload(gpu, 1000);
    let mut ring = vec![u32::MAX; 64];
    let rows: Vec<usize> = (0..41).map(|i| i * 11 % 63).collect();
    rows.iter().enumerate().for_each(|(i, &row)| ring[(1000 + i) % 64] = row as u32);
    let indices = check::input(gpu, &[64], &ring);
    let (x, epsilon) = (Guarded::new(gpu, &[41, 257]), Guarded::new(gpu, &[1]));
    check::run(gpu, |recording| {
        let order = Order { is_ring: true, held: 0..63, ..Order::of_all(&state, &indices) };
        let source = source(&dataset, &images, order);
        gather::batch(
            recording,
            "test",
            &[source],
            &x.tensor,
            false,
            &Drawn::default(),
            &epsilon.tensor,
        );
    });
    let want: Vec<f64> = rows
        .iter()
        .flat_map(|row| &dataset.bytes[row * 257..][..257])
        .map(|&byte| f64::from(byte) / 255.0)
        .collect();
    check::assert_each("ring", &x.floats(gpu), &want, 3e-7, 0.0);
}

#[test]
fn without_a_seed_there_is_no_noise() {
    let Some(gpu) = check::gpu() else { return };
    let dataset = Dataset::new(5, 63);
    let [state, images, order] = dataset.upload(gpu, 1);
    let x = Guarded::new(gpu, &[3, 63]);
    let epsilon = Guarded::new(gpu, &[70]);
    check::run(gpu, |recording| {
        let (x, epsilon) = (&x.tensor, &epsilon.tensor);
        let source = source(&dataset, &images, Order::of_all(&state, &order));
        gather::batch(recording, "test", &[source], x, false, &Drawn::default(), epsilon);
    });
    check::assert_each("x", &x.floats(gpu), &dataset.batch(1, 3), 3e-7, 0.0);
    assert_eq!(epsilon.words(gpu), [check::POISON; 70]);
}

/// Pixels (image, channel, place) with the channels last, as maps have them.
fn channels_last(pixels: &[f64], channels: usize, places: usize) -> Vec<f64> {
    let at = |i: usize| {
        let (image, place, channel) = (i / channels / places, i / channels % places, i % channels);
        pixels[(image * channels + channel) * places + place]
    };
    (0..pixels.len()).map(at).collect()
}

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
        let source =
            Source { images: &images, order: Order::of_all(&state, &order), channels, extent };
        check::run(gpu, |recording| {
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            // The wrapper takes the batch from x, which goes on with poison here.
            let x = x.view_matrix(0, &[rows * places, channels]);
            gather::batch(recording, "test", &[source], &x, true, &Drawn::default(), epsilon);
        });
        let want = channels_last(&dataset.batch(3, rows), channels, places);
        check::assert_each("maps", &x.floats(gpu), &want, 3e-7, 0.0);
    }
}

/// A corrupted batch: images, channels, height, width, and whether they are maps.
#[derive(Clone, Copy, Debug)]
struct Batch([usize; 4], bool);

/// Images whose rows end within a quad, or whose places are fewer than one.
const CORRUPTED: [Batch; 8] = [
    Batch([1, 1, 1, 1], false),
    Batch([40, 1, 7, 9], false),
    Batch([5, 1, 1, 257], false),
    Batch([7, 3, 5, 7], false),
    Batch([1, 1, 1, 1], true),
    Batch([40, 1, 7, 9], true),
    Batch([7, 3, 5, 7], true),
    Batch([3, 3, 1, 257], true),
];

impl Batch {
    /// Of x.
    fn shape(self) -> [usize; 2] {
        let Self([images, channels, height, width], maps) = self;
        let places = height * width;
        if maps { [images * places, channels] } else { [images, channels * places] }
    }

    /// One for each element of x, of four for each of its quads.
    fn draws<T: Copy>(self, four: impl Fn(u32) -> [T; 4]) -> Vec<T> {
        let [rows, columns] = self.shape();
        let quads = columns.div_ceil(4);
        let row = |row: usize| {
            let all = (row * quads..(row + 1) * quads).flat_map(|i| four(i as u32));
            all.take(columns).collect::<Vec<_>>()
        };
        (0..rows).flat_map(row).collect()
    }

    /// Before it is corrupted, and after, at `step`.
    fn run(
        self,
        gpu: &Gpu,
        corruption: Corruption,
        stream: Stream,
        step: u32,
    ) -> (Vec<f64>, Vec<f32>) {
        let Self([images, channels, height, width], maps) = self;
        let dataset = Dataset::new(images + 5, channels * height * width);
        let [state, bytes, order] = dataset.upload(gpu, 3);
        State { row: 3, step, ..State::default() }.write(gpu, &state);
        let extent = Extent { height, width };
        let source =
            Source { images: &bytes, order: Order::of_all(&state, &order), channels, extent };
        let x = Guarded::new(gpu, &self.shape());
        let epsilon = Guarded::new(gpu, &[63]);
        check::run(gpu, |recording| {
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            let noise = Some(Stream::Train);
            let drawn = Drawn { noise, corruption: Some((corruption, stream)), ..SEEDED };
            gather::batch(recording, "test", &[source], x, maps, &drawn, epsilon);
        });
        // Whatever is done to the pixels.
        let want = noise::oracle(noise::SEED, Stream::Train, step, 63);
        check::assert_norm("epsilon", &epsilon.floats(gpu), &want, 1e-5);
        let clean = dataset.batch(3, images);
        let clean = if maps { channels_last(&clean, channels, height * width) } else { clean };
        (clean, x.floats(gpu))
    }
}

/// The words that a quad draws at `step`.
fn words(stream: Stream, step: u32) -> impl Fn(u32) -> [u32; 4] {
    let key = [noise::SEED as u32, (noise::SEED >> 32) as u32, 0, stream as u32];
    move |quad| threefry([quad, step, 0, 0], key)
}

#[test]
fn gaussian_corruption_is_noise_cut_off_at_black_and_white() {
    let Some(gpu) = check::gpu() else { return };
    let spread = 0.3;
    let corruption = Corruption::Gaussian(spread);
    for batch in CORRUPTED {
        let (clean, got) = batch.run(gpu, corruption, Stream::Corrupt, 3);
        let words = words(Stream::Corrupt, 3);
        let noise = batch.draws(|quad| noise::normals(words(quad)));
        let noisy = clean.iter().zip(noise).map(|(pixel, draw)| pixel + spread * draw);
        let want: Vec<f64> = noisy.map(|pixel| pixel.clamp(0.0, 1.0)).collect();
        check::assert_each(&format!("{batch:?}"), &got, &want, 0.0, 1e-3);
        check::assert_norm(&format!("{batch:?}"), &got, &want, 1e-5);
    }
    let run = |stream, step| CORRUPTED[1].run(gpu, corruption, stream, step).1;
    let got = run(Stream::Corrupt, 3);
    for (stream, step) in [(Stream::CorruptEvaluate, 3), (Stream::Corrupt, 4)] {
        assert_ne!(run(stream, step), got, "{stream:?} {step}");
    }
}

/// Those whose upper 24 bits, as a fraction, are below it.
#[test]
fn masking_sets_its_share_of_the_pixels_to_zero() {
    let Some(gpu) = check::gpu() else { return };
    for batch in CORRUPTED {
        for share in [0.0, 0.25, 1.0] {
            let (clean, got) = batch.run(gpu, Corruption::Masking(share), Stream::Corrupt, 3);
            let fractions =
                batch.draws(words(Stream::Corrupt, 3)).into_iter().map(|word| word >> 8);
            let masked: Vec<_> =
                fractions.map(|bits| f64::from(bits) / 2f64.powi(24) < share).collect();
            let pairs = clean.iter().zip(&masked);
            let want: Vec<f64> = pairs.map(|(p, masked)| if *masked { 0.0 } else { *p }).collect();
            check::assert_each(&format!("{share} of {batch:?}"), &got, &want, 3e-7, 0.0);
            let (count, n) = (masked.iter().filter(|m| **m).count() as f64, got.len() as f64);
            // Four standard deviations.
            let deviation = (n * share * (1.0 - share)).sqrt();
            assert!((count - n * share).abs() <= 4.0 * deviation, "{share}: {count} of {n}");
        }
    }
}

/// White are those whose draw, as a fraction, is below their value; a draw is for a value's place in the image,
/// its row of the batch and the step.
#[test]
fn pixels_are_drawn_white_by_their_value() {
    let Some(gpu) = check::gpu() else { return };
    let key = [noise::SEED as u32, (noise::SEED >> 32) as u32, 0, Stream::Binarize as u32];
    for batch @ Batch([images, channels, height, width], maps) in CORRUPTED {
        let (places, size) = (height * width, channels * height * width);
        let dataset = Dataset::new(images + 5, size);
        let [state, bytes, order] = dataset.upload(gpu, 3);
        let extent = Extent { height, width };
        let source =
            Source { images: &bytes, order: Order::of_all(&state, &order), channels, extent };
        let (x, epsilon) = (Guarded::new(gpu, &batch.shape()), Guarded::new(gpu, &[1]));
        check::run(gpu, |recording| {
            let (x, epsilon) = (&x.tensor, &epsilon.tensor);
            let drawn = Drawn { binarized: Some(Stream::Binarize), ..SEEDED };
            gather::batch(recording, "test", &[source], x, maps, &drawn, epsilon);
        });
        let grey = dataset.batch(3, images);
        let fraction = |i: usize| {
            let (row, at) = (i / size, i % size);
            let words = threefry([at as u32 / 4, row as u32, 3, 0], key);
            f64::from(words[at % 4] >> 8) / 2f64.powi(24)
        };
        let white = |(i, grey): (usize, &f64)| f64::from(u8::from(fraction(i) < *grey));
        let want: Vec<f64> = grey.iter().enumerate().map(white).collect();
        let want = if maps { channels_last(&want, channels, places) } else { want };
        check::assert_each(&format!("{batch:?}"), &x.floats(gpu), &want, 0.0, 0.0);
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
    check::run(gpu, |recording| {
        let tensors = [
            ("state", &state),
            ("images", &images),
            ("order", &order),
            ("x", &x.tensor),
            ("epsilon", &epsilon.tensor),
        ];
        let [low, high] = [noise::SEED as u32, (noise::SEED >> 32) as u32];
        let params = json!({
            "rows": rows, "channels": 1, "places": pixels, "row_quads": x.tensor.stride() / 4,
            "words": images.len(), "noise": len, "seed_low": low, "seed_high": high,
            "stream": Stream::Train as u32, "corruption": 0, "binarized": 0, "spread": 0.0, "masked": 0.0,
            "mask": u32::MAX, "first": 0, "count": rows + 1,
        });
        let constants = ["MAPS", "CORRUPTION", "BINARIZED", "PARTS"].map(|name| (name, 0));
        let kernel = gather::SHADER.kernel("batch", &constants);
        recording.record_flat(kernel, "test", &params, &tensors, 4);
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
    check::run(gpu, |recording| {
        let noise = Some(Stream::Train);
        let (x, epsilon) = (&x.tensor, &epsilon.tensor);
        let source = source(&dataset, &images, Order::of_all(&state, &order));
        gather::batch(recording, "test", &[source], x, false, &Drawn { noise, ..SEEDED }, epsilon);
    });
    check::assert_each("x", &x.floats(gpu), &dataset.batch(0, rows), 3e-7, 0.0);
    check::assert_norm("epsilon", &epsilon.floats(gpu), &noise_oracle(63), 1e-5);
}
