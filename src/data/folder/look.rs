//! Choices about pixels that files leave open.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use image::DynamicImage;

use super::decode::{Look, upright};
use super::header::Header;
use super::parallel;
use crate::data::{Background, Note, ReadOptions};

/// Transparent images that are looked at for a background.
const SAMPLE: usize = 256;

/// A file and its header.
pub type File = (PathBuf, Header);

/// Settles what `options` leave open, from the `files` themselves, with remarks on it. Whether pixels are
/// transparent is known only once all are decoded.
pub fn settle(files: &[&File], options: &ReadOptions) -> (Look, Vec<Note>) {
    let mut notes = Vec::new();
    let background = options.background.unwrap_or_else(|| {
        let chosen: Vec<_> = files.iter().copied().filter(|(_, header)| header.has_alpha).collect();
        background(&chosen)
    });
    let deep_white = options.white.unwrap_or_else(|| {
        let deep: Vec<_> = files.iter().copied().filter(|(_, header)| header.is_deep).collect();
        let (bits, largest) = bits(&deep);
        let white = ((1u32 << bits) - 1) as u16;
        if bits < 16 {
            let text = format!(
                "the values of the 16-bit images reach {largest} at most, so {white} is taken for white"
            );
            notes.push(Note::on("white", text));
        }
        white
    });
    (Look { white: options.white.unwrap_or(255), deep_white, background }, notes)
}

/// White or black, whichever is further from the colours that can be seen in a sample of `files`.
fn background(files: &[&File]) -> Background {
    let step = files.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<&File> = files.iter().copied().step_by(step).collect();
    let seen = parallel::map(sample.len(), |index| {
        let (path, header) = sample[index];
        let Ok(image) = upright(path, header) else { return [0, 0] };
        let pixels = image.into_luma_alpha8();
        pixels.pixels().fold([0u64, 0], |[sum, weight], pixel| {
            let [value, alpha] = pixel.0.map(u64::from);
            [sum + value * alpha, weight + alpha]
        })
    });
    let [sum, weight] = seen.iter().fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    // Nothing to see at all is as well on white.
    match sum < weight * 128 || weight == 0 {
        true => Background::WHITE,
        false => Background::BLACK,
    }
}

/// The bits that the values of images of 16 bits take, and the largest value: 16 bits as soon as one value
/// is a quarter of the whole range.
fn bits(files: &[&File]) -> (u32, u16) {
    let largest = AtomicU16::new(0);
    parallel::map(files.len(), |index| {
        if largest.load(Relaxed) >= 1 << 14 {
            return;
        }
        let (path, header) = files[index];
        let value = upright(path, header).ok().and_then(|image| largest_value(&image));
        largest.fetch_max(value.unwrap_or(0), Relaxed);
    });
    let largest = largest.into_inner();
    if largest == 0 || largest >= 1 << 14 {
        return (16, largest);
    }
    let declared = files.iter().filter_map(|(_, header)| header.significant_bits).max();
    let declared = declared.map(u32::from).filter(|bits| *bits < 16 && largest >> bits == 0);
    (declared.unwrap_or(16 - largest.leading_zeros()), largest)
}

/// The largest value of a colour, transparency aside.
fn largest_value(image: &DynamicImage) -> Option<u16> {
    use DynamicImage::*;
    match image {
        ImageLuma16(image) => image.as_raw().iter().copied().max(),
        ImageRgb16(image) => image.as_raw().iter().copied().max(),
        ImageLumaA16(image) => image.pixels().map(|pixel| pixel.0[0]).max(),
        ImageRgba16(image) => image.pixels().flat_map(|pixel| pixel.0.into_iter().take(3)).max(),
        _ => None,
    }
}
