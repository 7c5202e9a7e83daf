//! Remarks on pixels whose values make no picture.

use super::packed::BLOCK;
use super::{Note, Splits};
use crate::error::Result;
use crate::words::counted;

/// Range of values below which images have hardly any contrast.
const NARROW: u8 = 32;
/// Places in a file at which images are looked at, where reading all would take long.
const PLACES: usize = 64;

/// A remark on images that are all of one value or of hardly any contrast. The option `key`, if there is
/// one for their format, says which value is white. Images in a file are looked at by a sample.
///
/// # Errors
///
/// [`crate::Error::Io`] naming the file in which they lie when it cannot be read.
pub(super) fn note((train, test): &Splits, key: Option<&'static str>) -> Result<Option<Note>> {
    let mut is_seen = [false; 256];
    let (mut looked_at, mut all) = (0, 0);
    for table in [Some(train), test.as_ref()].into_iter().flatten() {
        all += table.len();
        let mut see = |pixels: &[u8]| pixels.iter().for_each(|v| is_seen[usize::from(*v)] = true);
        match table.images() {
            Ok(images) => {
                looked_at += images.len();
                see(&images.pixels);
            }
            Err(_) => {
                let rows = sample(table.len(), table.shape()?.pixels());
                looked_at += rows.len();
                see(&table.read_images(&rows)?.pixels);
            }
        }
    }
    let seen: Vec<u8> = (0..=255).filter(|value| is_seen[usize::from(*value)]).collect();
    let (Some(&low), Some(&high)) = (seen.first(), seen.last()) else { return Ok(None) };
    let of = match looked_at == all {
        true => String::new(),
        false => format!("in a sample of {}, ", counted(looked_at, "image")),
    };
    if low == high {
        let text = format!("{of}every pixel of every image is {low}: there is nothing to learn");
        return Ok(Some(Note::new(text)));
    }
    let advice = match key {
        Some(_) => ": say which value is white if the files have another range",
        None => "",
    };
    Ok((high - low < NARROW).then(|| Note {
        text: format!(
            "{of}all pixels lie between {low} and {high} of 255, {} levels{advice}",
            seen.len()
        ),
        key,
    }))
}

/// Some of `count` images of `size` bytes in a file, in order: of few bytes, and in few places.
fn sample(count: usize, size: usize) -> Vec<usize> {
    let most = BLOCK / size;
    if count <= most {
        return (0..count).collect();
    }
    let places = PLACES.min(most).max(1);
    let each = (most / places).max(1);
    (0..places).flat_map(|place| (place * count / places..).take(each)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_small_in_order_and_spread() {
        for (count, size) in [(1, 1), (1, 1 << 30), (20, 1 << 20), (65, 1 << 18), (1 << 20, 784)] {
            let rows = sample(count, size);
            assert!(rows.is_sorted_by(|a, b| a < b), "{count} of {size}: {rows:?}");
            assert!(rows.len() == 1 || rows.len() * size <= BLOCK, "{count} of {size}");
            assert!(rows.last().is_some_and(|last| *last < count), "{count} of {size}");
            assert!(rows.len() == count || rows.len() * 2 * size > BLOCK, "{count} of {size}");
        }
        assert!(*sample(1 << 20, 784).last().unwrap() > (1 << 20) * 9 / 10);
    }
}
