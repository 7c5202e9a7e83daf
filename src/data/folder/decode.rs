//! One image file becomes the bytes of an image.

use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Pixel, Primitive};

use super::bad::{Bad, catching};
use super::header::{Header, limits};
use super::jpeg;
use crate::data::{Background, ImageShape};
use crate::files;
use crate::words::plain;

/// What becomes of the values of an image.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The value in files of 8 bits that stands for white.
    pub white: u16,
    /// The value in files of 16 bits that stands for white.
    pub deep_white: u16,
    /// The colour behind transparent pixels.
    pub background: Background,
}

/// An image as it goes into a dataset.
pub struct Decoded {
    /// Its pixels, (channels, height, width).
    pub pixels: Vec<u8>,
    /// Whether some pixels were transparent.
    pub is_transparent: bool,
}

/// Decodes the image at `path`, turned upright, whatever its depth.
pub fn upright(path: &Path, header: &Header) -> Result<DynamicImage, Bad> {
    catching(path, || {
        let bytes = files::read_whole(path).map_err(Bad::unreadable(path))?;
        let decoded = match header.format {
            ImageFormat::Jpeg => jpeg::decode(&bytes, header.components),
            format => decode(&bytes, format).map_err(|error| plain(&error.to_string())),
        };
        let mut image = decoded.map_err(|reason| Bad::undecodable(path, reason))?;
        image.apply_orientation(header.orientation);
        if (image.width() as usize, image.height() as usize) != header.size {
            return Err(Bad::undecodable(path, "it is of another size than its header says"));
        }
        Ok(image)
    })
}

fn decode(bytes: &[u8], format: ImageFormat) -> image::ImageResult<DynamicImage> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder()?;
    let _ = decoder.set_limits(limits());
    DynamicImage::from_decoder(decoder)
}

/// Decodes the image at `path` into the bytes of an image of `shape`.
pub fn image(path: &Path, header: &Header, shape: ImageShape, look: &Look) -> Result<Decoded, Bad> {
    let image = upright(path, header)?;
    catching(path, || {
        let (mut image, is_transparent) = flatten(bytes(image, look), look.background);
        if (image.width() as usize, image.height() as usize) != (shape.width, shape.height) {
            // The triangle filter averages when it shrinks, and does not ring at edges.
            let (width, height) = (shape.width as u32, shape.height as u32);
            image = image.resize_exact(width, height, FilterType::Triangle);
        }
        let interleaved = match shape.channels {
            1 => image.into_luma8().into_raw(),
            _ => image.into_rgb8().into_raw(),
        };
        let mut pixels = Vec::with_capacity(interleaved.len());
        for channel in 0..shape.channels {
            pixels.extend(interleaved.iter().skip(channel).step_by(shape.channels));
        }
        Ok(Decoded { pixels, is_transparent })
    })
}

/// Reduces values to 8 bits, 255 standing for the value that is white in the file.
fn bytes(image: DynamicImage, look: &Look) -> DynamicImage {
    use DynamicImage::*;
    match image {
        ImageLuma16(image) => ImageLuma8(scaled(&image, look.deep_white)),
        ImageLumaA16(image) => ImageLumaA8(scaled(&image, look.deep_white)),
        ImageRgb16(image) => ImageRgb8(scaled(&image, look.deep_white)),
        ImageRgba16(image) => ImageRgba8(scaled(&image, look.deep_white)),
        other if look.white == 255 => other,
        ImageLuma8(image) => ImageLuma8(scaled(&image, look.white)),
        ImageLumaA8(image) => ImageLumaA8(scaled(&image, look.white)),
        ImageRgb8(image) => ImageRgb8(scaled(&image, look.white)),
        ImageRgba8(image) => ImageRgba8(scaled(&image, look.white)),
        other => other,
    }
}

/// Scales colours such that `white` becomes 255, and opacities as the depth of the file has them.
fn scaled<P, Q>(image: &ImageBuffer<P, Vec<P::Subpixel>>, white: u16) -> ImageBuffer<Q, Vec<u8>>
where
    P: Pixel<Subpixel: Into<u32> + Primitive>,
    Q: Pixel<Subpixel = u8>,
{
    let full = P::Subpixel::DEFAULT_MAX_VALUE.into();
    let channels = usize::from(P::CHANNEL_COUNT);
    let opacity = if matches!(channels, 2 | 4) { channels - 1 } else { channels };
    let values = image.as_raw().iter().enumerate().map(|(at, value)| {
        let white = if at % channels == opacity { full } else { u32::from(white).max(1) };
        let value: u32 = (*value).into();
        ((value * 255 + white / 2) / white).min(255) as u8
    });
    ImageBuffer::from_raw(image.width(), image.height(), values.collect())
        .expect("there are as many values as before")
}

/// Blends a transparent image with `background`, since the colours of transparent pixels are arbitrary,
/// and says whether some were.
fn flatten(image: DynamicImage, background: Background) -> (DynamicImage, bool) {
    let has_alpha = image.color().has_alpha();
    if !has_alpha {
        return (image, false);
    }
    let is_grey = !image.color().has_color() && background.is_grey();
    let mut rgba = image.into_rgba8();
    let mut is_transparent = false;
    for pixel in rgba.pixels_mut() {
        let [values @ .., alpha] = &mut pixel.0;
        is_transparent |= *alpha < 255;
        for (value, behind) in values.iter_mut().zip(background.0) {
            let sum =
                u16::from(*value) * u16::from(*alpha) + u16::from(behind) * u16::from(255 - *alpha);
            *value = ((sum + 127) / 255) as u8;
        }
    }
    let image = DynamicImage::ImageRgba8(rgba);
    let flat = if is_grey { image.into_luma8().into() } else { image.into_rgb8().into() };
    (flat, is_transparent)
}
