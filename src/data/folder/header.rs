//! What an image file says of itself before its pixels.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::bad::Bad;
use super::jpeg;
use super::names::extension;
use crate::files;
use crate::words::plain;

/// The properties of an image that its file's header states.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub format: ImageFormat,
    /// Width and height of the upright image.
    pub size: (usize, usize),
    pub orientation: Orientation,
    pub is_coloured: bool,
    /// Whether pixels may be transparent.
    pub has_alpha: bool,
    /// Whether values take 16 bits.
    pub is_deep: bool,
    /// Bits of a value that a PNG file declares to be significant.
    pub significant_bits: Option<u8>,
    /// Components of a JPEG file's frame.
    pub components: usize,
}

/// Bytes of a decoded image beyond which it is taken for a decompression bomb.
const MOST_BYTES: u64 = 512 << 20;

/// Reads the header of the image at `path`. Its format is that of its content, since misnamed files are
/// common.
pub fn read(path: &Path) -> Result<Header, Bad> {
    let opened = files::open(path).map_err(Bad::unreadable(path))?;
    let mut file = BufReader::new(opened);
    let begin = file.fill_buf().map_err(Bad::unreadable(path))?;
    let format = format(path, begin).map_err(|reason| Bad::new(path, reason))?;
    if format == ImageFormat::Jpeg {
        let frame = jpeg::frame(&mut file).map_err(|reason| Bad::undecodable(path, reason))?;
        let header = Header {
            format,
            size: (frame.width, frame.height),
            orientation: frame.orientation,
            is_coloured: frame.components > 1,
            has_alpha: false,
            is_deep: false,
            significant_bits: None,
            components: frame.components,
        };
        let bytes = frame.width as u64 * frame.height as u64 * frame.components as u64;
        return header.checked(path, bytes);
    }
    let significant_bits = match format {
        ImageFormat::Png => significant_bits(&mut file),
        _ => None,
    };
    file.rewind().map_err(Bad::unreadable(path))?;
    let mut decoder = ImageReader::with_format(file, format)
        .into_decoder()
        .map_err(|error| Bad::undecodable(path, plain(&error.to_string())))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    let colours = decoder.color_type();
    let is_deep =
        matches!(colours, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    let header = Header {
        format,
        size: (width as usize, height as usize),
        orientation,
        is_coloured: colours.has_color(),
        has_alpha: colours.has_alpha(),
        is_deep,
        significant_bits,
        components: 0,
    };
    header.checked(path, decoder.total_bytes())
}

impl Header {
    /// Turns the size upright, and fails for an image that has none or takes too many `bytes`.
    fn checked(mut self, path: &Path, bytes: u64) -> Result<Self, Bad> {
        let (width, height) = self.size;
        if width == 0 || height == 0 {
            return Err(Bad::undecodable(path, "it has no size"));
        }
        if bytes > MOST_BYTES {
            let reason = format!("{width}x{height} takes over 512 MiB");
            return Err(Bad::undecodable(path, reason));
        }
        if let Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH = self.orientation
        {
            self.size = (height, width);
        }
        Ok(self)
    }
}

/// Limits for decoding an image whose header was read.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MOST_BYTES);
    limits
}

/// The format of a file that begins with `begin`; otherwise what is wrong with it.
fn format(path: &Path, begin: &[u8]) -> Result<ImageFormat, String> {
    if begin.is_empty() {
        return Err("is empty".into());
    }
    let unread = |name: &str| {
        Err(format!(
            "is an image in the format {name}, which is not read; convert it to PNG or JPEG"
        ))
    };
    match image::guess_format(begin) {
        Ok(format) if format.reading_enabled() || format == ImageFormat::Jpeg => return Ok(format),
        Ok(format) => return unread(&format!("{format:?}").to_uppercase()),
        Err(_) => {}
    }
    // Only its name tells a TGA file.
    let is_tga = matches!(extension(path).as_deref(), Some("tga" | "icb" | "vda" | "vst"));
    match begin {
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', b'i' | b'v', ..]
        | [_, _, _, _, b'f', b't', b'y', b'p', b'm', b'i', b'f', ..] => unread("HEIC"),
        _ if begin.iter().all(|byte| *byte == 0) => Err("holds nothing but zeros".into()),
        _ if is_html(begin) => Err("is a web page, no image".into()),
        _ if is_tga => Ok(ImageFormat::Tga),
        _ => Err("is no image of a known format, despite its name".into()),
    }
}

fn is_html(begin: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&begin[..begin.len().min(64)]).trim_start().to_lowercase();
    text.starts_with("<!doctype html") || text.starts_with("<html")
}

/// The largest number of significant bits that the sBIT chunk of a PNG file states, if it has one.
fn significant_bits(file: &mut (impl Read + Seek)) -> Option<u8> {
    file.seek(SeekFrom::Start(8)).ok()?;
    let mut begin = [0; 8];
    loop {
        file.read_exact(&mut begin).ok()?;
        let [l3, l2, l1, l0, kind @ ..] = begin;
        let length = u32::from_be_bytes([l3, l2, l1, l0]);
        match &kind {
            b"sBIT" if (1..=4).contains(&length) => {
                let mut bits = vec![0; length as usize];
                file.read_exact(&mut bits).ok()?;
                return bits.into_iter().max();
            }
            b"IDAT" | b"IEND" => return None,
            _ => {
                file.seek(SeekFrom::Current(i64::from(length) + 4)).ok()?;
            }
        }
    }
}
