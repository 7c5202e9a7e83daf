//! Pixels that are made black or white.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

/// How grey pixels become black or white, of which alone a Bernoulli likelihood is a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binarize {
    /// A pixel is white from half of white on.
    Threshold,
    /// A pixel is white with the probability that is its value, drawn anew in each epoch (Burda et al. 2016).
    Dynamic,
    /// The same, drawn once for each image (Salakhutdinov and Murray 2008), by the seed.
    Fixed,
}

impl Binarize {
    /// Makes 0 or 255 of the `bytes` of the images that are number `rows`, each of `size` values. Draws are a
    /// function of `seed` and the image's number.
    pub fn apply(
        self,
        seed: u64,
        rows: impl IntoIterator<Item = usize>,
        size: usize,
        bytes: &mut [u8],
    ) {
        let white = |is: bool| if is { 255 } else { 0 };
        for (row, image) in rows.into_iter().zip(bytes.chunks_mut(size.max(1))) {
            if self == Self::Threshold {
                image.iter_mut().for_each(|pixel| *pixel = white(*pixel >= 128));
                continue;
            }
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(row as u64);
            // One of 255 values, so that a pixel of 255 is always white.
            image.iter_mut().for_each(|pixel| *pixel = white(random.random_range(0..255) < *pixel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_white_as_often_as_they_are_light() {
        let grey: Vec<u8> = (0..=255).cycle().take(256 * 400).collect();
        let mut drawn = grey.clone();
        Binarize::Fixed.apply(7, 0..400, 256, &mut drawn);
        for value in 0..256 {
            let whites = drawn[value..].iter().step_by(256).filter(|pixel| **pixel == 255).count();
            let (n, p) = (400.0, value as f64 / 255.0);
            // Five standard deviations.
            let most = 5.0 * (n * p * (1.0 - p)).sqrt();
            assert!((whites as f64 - n * p).abs() <= most, "{value}: {whites}");
        }
        // An image is drawn by its number, wherever it stands.
        let mut one = grey[..256].to_vec();
        Binarize::Dynamic.apply(7, [399], 256, &mut one);
        assert_eq!(one, drawn[399 * 256..]);
        Binarize::Dynamic.apply(8, [399], 256, &mut one);
        let mut other = grey[..256].to_vec();
        Binarize::Fixed.apply(8, [399], 256, &mut other);
        assert_ne!(other, drawn[399 * 256..]);
    }

    #[test]
    fn a_threshold_is_half() {
        let mut pixels = [0, 127, 128, 255];
        Binarize::Threshold.apply(0, [0], 4, &mut pixels);
        assert_eq!(pixels, [0, 0, 255, 255]);
    }
}
