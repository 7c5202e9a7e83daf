//! JPEG files: their headers, whether they are whole, and their pixels as libjpeg-turbo decodes them.

use std::io::{self, BufRead, Seek};

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

/// The frame of a JPEG file, and how to turn it upright.
pub struct Frame {
    pub width: usize,
    pub height: usize,
    pub components: usize,
    pub orientation: Orientation,
}

/// Scans that an image may have; progressive ones have about ten.
const MOST_SCANS: usize = 1000;

/// Reads the segments before the first scan.
///
/// # Errors
///
/// What is wrong with them, or with what they say.
pub fn frame(file: &mut (impl BufRead + Seek)) -> Result<Frame, String> {
    let truncated = |_| TRUNCATED.to_owned();
    let (mut found, mut orientation) = (None, Orientation::NoTransforms);
    file.seek(io::SeekFrom::Start(2)).map_err(truncated)?;
    loop {
        let marker = next_marker(file).map_err(truncated)?;
        match marker {
            0xd9 | 0xda => break,
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let mut length = [0; 2];
        file.read_exact(&mut length).map_err(truncated)?;
        let length = usize::from(u16::from_be_bytes(length)).saturating_sub(2);
        let is_frame = is_frame(marker);
        if !is_frame && marker != 0xe1 {
            file.seek_relative(length as i64).map_err(truncated)?;
            continue;
        }
        let mut segment = vec![0; length];
        file.read_exact(&mut segment).map_err(truncated)?;
        if is_frame {
            found = Some(segment);
        } else if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
            orientation = Orientation::from_exif_chunk(exif).unwrap_or(orientation);
        }
    }
    let segment = found.ok_or("the JPEG data has no frame")?;
    let [bits, h1, h0, w1, w0, components, ..] = segment[..] else {
        return Err(TRUNCATED.into());
    };
    if bits != 8 {
        return Err(format!("it has {bits} bits a sample, where 8 can be read"));
    }
    let sampling: Vec<[u8; 2]> =
        segment[6..].chunks_exact(3).map(|part| [part[1] >> 4, part[1] & 15]).collect();
    if sampling.iter().any(|of| of[0] > sampling[0][0] || of[1] > sampling[0][1]) {
        return Err("its brightness is sampled more coarsely than its colours".into());
    }
    let [width, height] = [[w1, w0], [h1, h0]].map(|side| u16::from_be_bytes(side).into());
    if width == 0 || height == 0 {
        return Err("it has no size".into());
    }
    Ok(Frame { width, height, components: components.into(), orientation })
}

const TRUNCATED: &str = "the JPEG data is truncated";

/// Whether a marker begins the description of a frame.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn next_marker(file: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    loop {
        while byte != [0xff] {
            file.read_exact(&mut byte)?;
        }
        while byte == [0xff] {
            file.read_exact(&mut byte)?;
        }
        if byte != [0] {
            return Ok(byte[0]);
        }
    }
}

/// Decodes the file `bytes`, with `components` in its frame.
///
/// # Errors
///
/// The reason why it cannot be. Data that end early are no image: decoders, this one as well, would fill
/// in what is missing.
pub fn decode(bytes: &[u8], components: usize) -> Result<DynamicImage, String> {
    check_scans(bytes)?;
    let limits = DecodeLimits { max_scans: MOST_SCANS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(worded)?;
    let format = if components == 1 { PixelFormat::Grayscale } else { PixelFormat::Rgb };
    decoder.set_output_format(format);
    let image = decoder.decode_image().map_err(worded)?;
    let (width, height) = (image.width as u32, image.height as u32);
    let decoded = match components {
        1 => GrayImage::from_raw(width, height, image.data).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, image.data).map(DynamicImage::from),
    };
    decoded.ok_or_else(|| "the JPEG data is damaged".into())
}

fn worded(error: JpegError) -> String {
    match error {
        JpegError::UnexpectedEof => TRUNCATED.into(),
        other => other.to_string(),
    }
}

/// Fails unless a JPEG is complete: it reaches its end marker, and its scans send every coefficient of
/// every component in full.
fn check_scans(bytes: &[u8]) -> Result<(), String> {
    // For each component its identifier and, for each coefficient, the bits that are still to come.
    let mut missing: Vec<(u8, [u8; 64])> = Vec::new();
    let (mut is_lossless, mut is_progressive) = (false, false);
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        // Skips compressed data, with its escaped 0xff bytes and restart markers, and padding.
        let marker = rest
            .windows(2)
            .position(|w| w[0] == 0xff && !matches!(w[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff));
        let Some(segment) = marker.map(|at| &rest[at + 1..]) else { return Err(TRUNCATED.into()) };
        let [marker, high, low, content @ ..] = segment else {
            // Nothing follows the end marker of most files.
            match segment {
                [0xd9, ..] => break,
                _ => return Err(TRUNCATED.into()),
            }
        };
        if *marker == 0xd9 {
            break;
        }
        // A segment's length includes its own two bytes; its data, such as thumbnails, is skipped.
        let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(2);
        let Some((content, after)) = content.split_at_checked(length) else {
            return Err(TRUNCATED.into());
        };
        rest = after;
        if is_frame(*marker) {
            is_lossless = matches!(marker, 0xc3 | 0xc7 | 0xcb | 0xcf);
            is_progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
            let components = content.get(6..).unwrap_or_default().chunks_exact(3);
            missing = components.map(|component| (component[0], [16; 64])).collect();
        }
        if *marker == 0xda {
            let count = content.first().map_or(0, |count| usize::from(*count));
            let Some([from, to, bits]) = content.get(1 + 2 * count..4 + 2 * count) else {
                return Err(TRUNCATED.into());
            };
            if !is_progressive && (2..missing.len()).contains(&count) {
                let parts = missing.len();
                return Err(format!("a scan of it holds {count} of its {parts} colour components"));
            }
            let (from, to) = if is_lossless { (0, 63) } else { (*from, *to) };
            let sent = usize::from(from.min(63))..=usize::from(to.min(63));
            for component in content[1..].chunks_exact(2).take(count) {
                let of = missing.iter_mut().filter(|(id, _)| *id == component[0]);
                let bits = if is_lossless { 0 } else { bits & 15 };
                of.for_each(|(_, missing)| {
                    if let Some(sent) = missing.get_mut(sent.clone()) {
                        sent.fill(bits);
                    }
                });
            }
        }
    }
    match missing.iter().all(|(_, missing)| *missing == [0; 64]) {
        true => Ok(()),
        false => Err("the JPEG data is truncated: scans are missing".into()),
    }
}
