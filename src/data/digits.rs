//! The built-in digits: handwriting imitated by bending, blending and inking stroke templates.
//!
//! Only additions, multiplications, divisions and square roots touch the floats, all of which IEEE
//! 754 rounds exactly, so that every platform draws the same bytes.

mod templates;

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use templates::{Drawing, FORMS};

/// Width and height of an image in pixels.
pub(super) const SIDE: usize = 28;

/// A point of a stroke: x, y and the pen's pressure there, 1 on average.
type Point = [f32; 3];

/// Draws `count` images of 28×28, white ink (255) on black, the ten digits equally often and
/// mixed, the same ones for the same `seed`; and the digit that each shows.
pub(super) fn draw(count: usize, seed: u64) -> (Vec<u8>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pixels = vec![0; count * SIDE * SIDE];
    let labels = labels(count, &mut rng);
    for (&digit, image) in labels.iter().zip(pixels.chunks_exact_mut(SIDE * SIDE)) {
        let mut strokes = write(digit, &mut rng);
        pose(&mut strokes, &mut rng);
        ink(&mut strokes, image, &mut rng);
    }
    (pixels, labels.into_iter().map(|digit| digit as u32).collect())
}

/// The digits to draw, in shuffled tens so that any stretch of them is balanced.
fn labels(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..count).map(|i| i % 10).collect();
    labels.chunks_mut(10).for_each(|ten| ten.shuffle(rng));
    labels
}

/// A draw from a bell-shaped distribution of mean 0 and standard deviation 1, within ±3.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    2.0 * (rng.random::<f32>() + rng.random::<f32>() + rng.random::<f32>() - 1.5)
}

/// One way of writing `digit`: its strokes as polylines about 100 high, y down.
fn write(digit: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<Point>> {
    let forms = FORMS[digit];
    let mut pick = rng.random_range(0..forms.iter().map(|(share, _)| share).sum());
    let drawings = forms
        .iter()
        .find_map(|&(share, drawings)| {
            let chosen = pick < share;
            pick = pick.saturating_sub(share);
            chosen.then_some(drawings)
        })
        .expect("pick is below the sum of the shares");

    // Blending a form's drawings gives a continuum of handwritings rather than a few fonts. Cubing
    // the weights makes even mixtures, which all look alike, less frequent.
    let mut weights: Vec<f32> = drawings
        .iter()
        .map(|_| {
            let u = rng.random::<f32>();
            0.01 + u * u * u
        })
        .collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);

    // The product of two draws makes neat writing more frequent than careless writing.
    let care = 1.4 + 4.0 * rng.random::<f32>() * rng.random::<f32>();
    (0..drawings[0].len())
        .map(|stroke| spline(&controls(drawings, &weights, stroke, care, rng)))
        .collect()
}

/// The blended control points of a stroke, each pushed aside a little; neighbours go together, so
/// that the line bends instead of trembling.
fn controls(
    drawings: &[Drawing],
    weights: &[f32],
    stroke: usize,
    care: f32,
    rng: &mut ChaCha8Rng,
) -> Vec<Point> {
    let mut push = [normal(rng) * care, normal(rng) * care, normal(rng) * 0.1];
    let mut points: Vec<Point> = Vec::with_capacity(16);
    for i in 0..drawings[0][stroke].len() {
        // A point written twice is a corner: both copies must stay together.
        if i > 0 && drawings[0][stroke][i] == drawings[0][stroke][i - 1] {
            points.push(points[i - 1]);
            continue;
        }
        let mut point = [push[0], push[1], 1.0 + push[2]];
        for (drawing, weight) in drawings.iter().zip(weights) {
            let (x, y) = drawing[stroke][i];
            point[0] += weight * f32::from(x);
            point[1] += weight * f32::from(y);
        }
        points.push(point);
        for (p, deviation) in push.iter_mut().zip([care, care, 0.1]) {
            *p = 0.6 * *p + 0.8 * deviation * normal(rng);
        }
    }
    points
}

/// A polyline along the Catmull-Rom spline through `controls`, with corners at repeated points.
fn spline(controls: &[Point]) -> Vec<Point> {
    let mut line = Vec::with_capacity(64);
    line.push(controls[0]);
    for i in 1..controls.len() {
        let (b, c) = (controls[i - 1], controls[i]);
        if b == c {
            continue;
        }
        let a = controls[i.saturating_sub(2)];
        let d = controls[(i + 1).min(controls.len() - 1)];
        let (dx, dy) = (c[0] - b[0], c[1] - b[1]);
        // Steps of about one and a half pixels look smooth once inked.
        let steps = ((dx * dx + dy * dy).sqrt() / 7.0).ceil().max(1.0);
        for step in 1..=steps as usize {
            let t = step as f32 / steps;
            line.push(std::array::from_fn(|k| {
                let (p, q) = (c[k] - a[k], d[k] - b[k]);
                let e = 2.0 * (c[k] - b[k]);
                b[k] + 0.5 * t * (p + t * (3.0 * e - 2.0 * p - q + t * (p + q - 2.0 * e)))
            }));
        }
    }
    line
}

/// Bends the whole digit smoothly, then gives it its width, slant and rotation.
fn pose(strokes: &mut [Vec<Point>], rng: &mut ChaCha8Rng) {
    let bend: [f32; 5] = std::array::from_fn(|_| 0.075 * normal(rng));
    let width = (1.0 + 0.18 * normal(rng)).max(0.75);
    let slant = 0.14 + 0.18 * normal(rng);
    let turn = 0.09 * normal(rng); // Tangent of the angle.
    let cosine = 1.0 / (1.0 + turn * turn).sqrt();
    for point in strokes.iter_mut().flatten() {
        let (u, v) = (point[0] / 50.0 - 0.8, point[1] / 50.0 - 1.0);
        let x = width * (u + bend[0] * v * v + bend[1] * u * v) - slant * v;
        let y = v + bend[2] * v * v + bend[3] * u * u + bend[4] * u * v;
        point[0] = cosine * (x - turn * y);
        point[1] = cosine * (y + turn * x);
        // A broad pen would fill the rings of a narrow digit.
        point[2] *= width.min(1.0);
    }
}

/// Fits the strokes to `image` as MNIST does (in 20×20, centred by mass) and draws them.
fn ink(strokes: &mut [Vec<Point>], image: &mut [u8], rng: &mut ChaCha8Rng) {
    let pen = (2.8 + 0.6 * normal(rng)).clamp(1.5, 3.9);
    let soft = 1.1 + 0.3 * rng.random::<f32>();
    let size = 19.6 + 0.5 * normal(rng);
    let shift = [0.5 * normal(rng), 0.5 * normal(rng)];

    let mut bounds = [[f32::MAX, f32::MIN]; 2];
    let (mut mass, mut moment) = (0.0, [0.0; 2]);
    for stroke in strokes.iter() {
        for (a, b) in stroke.iter().zip(&stroke[1..]) {
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = (dx * dx + dy * dy).sqrt();
            mass += length;
            for k in 0..2 {
                moment[k] += length * 0.5 * (a[k] + b[k]);
                bounds[k][0] = bounds[k][0].min(a[k]).min(b[k]);
                bounds[k][1] = bounds[k][1].max(a[k]).max(b[k]);
            }
        }
    }
    let extent = (bounds[0][1] - bounds[0][0]).max(bounds[1][1] - bounds[1][0]);
    let scale = (size - pen) / extent;
    let margin = 2.0 + 0.5 * pen;
    let offset: [f32; 2] = std::array::from_fn(|k| {
        let centred = 0.5 * SIDE as f32 - scale * moment[k] / mass + shift[k];
        // Mass far off the middle must not push the other end over the border.
        centred.min(SIDE as f32 - margin - scale * bounds[k][1]).max(margin - scale * bounds[k][0])
    });

    for stroke in strokes {
        for point in stroke.iter_mut() {
            for k in 0..2 {
                point[k] = scale * point[k] + offset[k];
            }
            point[2] *= 0.5 * pen;
        }
        for (a, b) in stroke.iter().zip(&stroke[1..]) {
            segment(image, *a, *b, soft);
        }
    }
}

/// Inks one segment with round ends; `soft` is the width in pixels over which the edge fades.
fn segment(image: &mut [u8], a: Point, b: Point, soft: f32) {
    let reach = a[2].max(b[2]) + 0.5 * soft;
    let range = |p: f32, q: f32| {
        // Casts saturate at 0; pixel centres lie at halves.
        let first = (p.min(q) - reach - 0.5).ceil() as usize;
        let last = (p.max(q) + reach - 0.5).floor() as usize;
        first..(last + 1).min(SIDE)
    };
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let inverse = 1.0 / (dx * dx + dy * dy).max(1e-9);
    let columns = range(a[0], b[0]);
    for row in range(a[1], b[1]) {
        let y = row as f32 + 0.5 - a[1];
        let line = &mut image[row * SIDE..(row + 1) * SIDE];
        for (column, pixel) in columns.clone().zip(&mut line[columns.clone()]) {
            let x = column as f32 + 0.5 - a[0];
            let t = ((x * dx + y * dy) * inverse).clamp(0.0, 1.0);
            let (ex, ey) = (x - t * dx, y - t * dy);
            let distance = (ex * ex + ey * ey).sqrt();
            let cover = 0.5 + (a[2] + t * (b[2] - a[2]) - distance) / soft;
            *pixel = (*pixel).max((255.0 * cover + 0.5) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_bytes() {
        let (images, _) = draw(200, 7);
        assert_eq!(images.len(), 200 * SIDE * SIDE);
        assert_eq!(images, draw(200, 7).0);
        assert_ne!(images, draw(200, 8).0);
        // FNV-1a, pinned: the data must not change between platforms or releases unnoticed.
        let hash = images.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, &p| {
            (h ^ u64::from(p)).wrapping_mul(0x100_0000_01b3)
        });
        assert_eq!(hash, 0xaceb_70c0_30bb_18b7, "hash {hash:#x}");
    }

    #[test]
    fn ink_is_sane() {
        for (i, image) in draw(5_000, 3).0.chunks(SIDE * SIDE).enumerate() {
            let mean =
                image.iter().map(|&p| f32::from(p)).sum::<f32>() / (255 * image.len()) as f32;
            assert!((0.02..0.32).contains(&mean), "image {i}: mean {mean}");
            assert!(image.iter().any(|&p| p > 200), "image {i} is faint");
            let border = (0..SIDE)
                .flat_map(|k| [k, (SIDE - 1) * SIDE + k, k * SIDE, k * SIDE + SIDE - 1])
                .map(|k| image[k])
                .max();
            assert!(border < Some(64), "image {i} touches the border: {border:?}");
        }
    }

    #[test]
    fn digits_are_mixed_and_balanced() {
        let labels = labels(1_000, &mut ChaCha8Rng::seed_from_u64(1));
        for digit in 0..10 {
            assert_eq!(labels.iter().filter(|&&label| label == digit).count(), 100);
            assert!((0..100).any(|i| labels[10 * i] == digit), "{digit} never opens a ten");
        }
    }

    #[test]
    fn drawings_of_a_form_match() {
        let corners = |stroke: &[(i8, i8)]| -> Vec<bool> {
            stroke.windows(2).map(|pair| pair[0] == pair[1]).collect()
        };
        for (share, drawings) in FORMS.into_iter().flatten() {
            assert!(*share > 0);
            for drawing in *drawings {
                assert_eq!(drawing.len(), drawings[0].len());
                for (stroke, first) in drawing.iter().zip(drawings[0]) {
                    assert!(stroke.len() > 1);
                    assert_eq!(corners(stroke), corners(first), "{stroke:?} against {first:?}");
                }
            }
        }
    }
}
