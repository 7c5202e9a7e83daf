//! Folders of PNG and JPEG images.
//!
//! Two passes: the first reads headers only, to settle the shape and complain early; the second
//! decodes each image straight to its place, so only one full-size image a thread is in memory.

mod find;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::thread;

use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, imageops::FilterType};

use find::{Split, find_splits};

use super::pack::{self, Sink};
use super::{Column, ImageShape, ReadOptions, Splits, Table};
use crate::error::{Error, Result};
use crate::files;
use crate::words::plain;

/// The longest side that a JPEG can have; larger sizes are rejected as mistakes.
const MAX_SIDE: usize = 65_535;

/// The properties of an image that its file's header states.
struct Header {
    size: (usize, usize),
    coloured: bool,
}

/// Reads the images under `folder`, in the order of their paths. With a `train/` folder in it, only
/// that and `test/` are read. If all images of a split lie in folders of it, these are its
/// classes.
///
/// Images are turned upright as their EXIF data says and stretched to `options.size` (not cropped),
/// transparent pixels are blended with black, and 16 bits are reduced to 8.
pub(super) fn read(folder: &Path, options: &ReadOptions) -> Result<Splits> {
    check_options(options)?;
    let (train, test) = find_splits(folder)?;
    let test_files = test.iter().flat_map(|test| &test.files);
    let all: Vec<&Path> = train.files.iter().chain(test_files).map(PathBuf::as_path).collect();
    let headers = parallel_map(all.clone(), read_header)?;

    let size = match options.size {
        Some(size) => size,
        None => common_size(&all, &headers)?,
    };
    let any_coloured = headers.iter().any(|header| header.coloured);
    let channels = options.channels.unwrap_or(if any_coloured { 3 } else { 1 });
    let shape = ImageShape { width: size.0, height: size.1, channels };
    let labels = [Some(&train), test.as_ref()].map(|split| split.and_then(Split::classes));
    let classes: BTreeSet<&str> = labels.iter().flatten().flatten().copied().collect();
    let classes: Vec<&str> = classes.into_iter().collect();
    let in_memory = pack::fit_memory(options, all.len() as u128 * shape.pixels() as u128);
    let table = |split: &Split, labels: Option<Vec<&str>>| {
        let images = decode_all(folder, &split.files, shape, options, in_memory)?;
        let table = Table::new().with(Table::IMAGE, images)?;
        let Some(labels) = labels else { return Ok(table) };
        let index = |label| classes.partition_point(|class| *class < label) as u32;
        let indices: Vec<u32> = labels.into_iter().map(index).collect();
        table.with(Table::LABEL, Column::classes(classes.iter().copied(), indices))
    };
    let [train_labels, test_labels] = labels;
    let train = table(&train, train_labels)?;
    Ok((train, test.as_ref().map(|test| table(test, test_labels)).transpose()?))
}

fn check_options(options: &ReadOptions) -> Result<()> {
    if let Some(channels) = options.channels
        && !matches!(channels, 1 | 3)
    {
        return Err(Error::config("channels", channels, "must be 1 or 3"));
    }
    if let Some((width, height)) = options.size
        && ![width, height].iter().all(|side| (1..=MAX_SIDE).contains(side))
    {
        let message = format!("both sides must lie between 1 and {MAX_SIDE}");
        return Err(Error::config("size", format!("{width}x{height}"), message));
    }
    Ok(())
}

fn common_size(files: &[&Path], headers: &[Header]) -> Result<(usize, usize)> {
    let (width, height) = headers[0].size;
    match headers.iter().position(|header| header.size != (width, height)) {
        None => Ok((width, height)),
        Some(other) => Err(Error::MixedSizes {
            path: files[other].into(),
            size: headers[other].size,
            first: files[0].into(),
            first_size: (width, height),
        }),
    }
}

fn read_header(path: &Path) -> Result<Header> {
    let bytes = files::read_whole(path).map_err(Error::io("read", path))?;
    let mut decoder = open(path, &bytes)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = match decoder.orientation() {
        Ok(Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) => (height, width),
        _ => (width, height),
    };
    let coloured = decoder.color_type().has_color();
    Ok(Header { size: (width as usize, height as usize), coloured })
}

/// The images of `files` in memory, or in a file of the cache.
fn decode_all(
    folder: &Path,
    files: &[PathBuf],
    shape: ImageShape,
    options: &ReadOptions,
    in_memory: bool,
) -> Result<Column> {
    let mut sink = if in_memory {
        Sink::in_memory(folder, shape, files.len())?
    } else {
        let source = pack::source(folder, files.iter().map(PathBuf::as_path), options)?;
        let source = format!("{source}; as {shape}");
        if let Some(images) = pack::find(&source) {
            return Ok(images);
        }
        Sink::in_file(shape, source)?
    };
    let mut left = files;
    while !left.is_empty() {
        let block;
        (block, left) = left.split_at(sink.block(left.len()));
        sink.fill(block.len(), |pixels| {
            let places = block.iter().zip(pixels.chunks_exact_mut(shape.pixels())).collect();
            parallel_map(places, |(path, place)| decode(path, shape, place))?;
            Ok(block.len())
        })?;
    }
    sink.finish()
}

/// Decodes the image at `path` into `place`, (channels, height, width).
fn decode(path: &Path, shape: ImageShape, place: &mut [u8]) -> Result<()> {
    let bytes = files::read_whole(path).map_err(Error::io("read", path))?;
    let mut decoder = open(path, &bytes)?;
    let orientation = decoder.orientation();
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(path, e))?;
    if let Ok(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let mut image = flatten(image);
    if (image.width() as usize, image.height() as usize) != (shape.width, shape.height) {
        // The triangle filter averages when it shrinks, and does not ring at edges.
        let (width, height) = (shape.width as u32, shape.height as u32);
        image = image.resize_exact(width, height, FilterType::Triangle);
    }
    let interleaved = match shape.channels {
        1 => image.into_luma8().into_raw(),
        _ => image.into_rgb8().into_raw(),
    };
    for (channel, plane) in place.chunks_exact_mut(shape.width * shape.height).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(shape.channels)) {
            *value = pixel[channel];
        }
    }
    Ok(())
}

/// Reads the header of `bytes`. The format is that of the content, since misnamed files are common.
fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<impl ImageDecoder + use<'a>> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(Error::io("read", path))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(Error::data(
            path,
            "is neither a PNG nor a JPEG file despite its name; convert it or take it out of the \
             folder",
        ));
    }
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
        return Err(undecodable(path, "the JPEG data is truncated"));
    }
    let decoder = reader.into_decoder().map_err(|e| undecodable(path, e))?;
    // The JPEG decoder does not check this limit by itself.
    if Limits::default().reserve(decoder.total_bytes()).is_err() {
        let (width, height) = decoder.dimensions();
        return Err(undecodable(path, format!("{width}x{height} takes over 512 MiB")));
    }
    Ok(decoder)
}

fn undecodable(path: &Path, reason: impl std::fmt::Display) -> Error {
    let reason = plain(&reason.to_string());
    Error::data(
        path,
        format!("cannot be decoded ({reason}); replace it or take it out of the folder"),
    )
}

/// Whether a JPEG is complete up to its end marker: the decoder would fill missing parts with grey.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut rest = &bytes[2..];
    loop {
        // Skips compressed data, with its escaped 0xff bytes and restart markers, and padding.
        let marker = rest
            .windows(2)
            .position(|w| w[0] == 0xff && !matches!(w[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff));
        let Some(segment) = marker.map(|at| &rest[at + 1..]) else { return false };
        match segment {
            [0xd9, ..] => return true,
            // A segment's length includes its own two bytes; its data, such as thumbnails, is
            // skipped.
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = segment.get(1 + length..).unwrap_or_default();
            }
            _ => return false,
        }
    }
}

/// Blends a transparent image with black, since the colours of transparent pixels are arbitrary.
fn flatten(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let mut rgba = image.into_rgba8();
    for pixel in rgba.pixels_mut() {
        let [values @ .., alpha] = &mut pixel.0;
        for value in values {
            *value = ((u16::from(*value) * u16::from(*alpha) + 127) / 255) as u8;
        }
    }
    DynamicImage::ImageRgba8(rgba).into_rgb8().into()
}

/// Maps `items` on all cores, in order; on failure, the error of the first item that failed.
fn parallel_map<I: Send, O: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|_| {
                let part: Vec<I> = items.by_ref().take(share).collect();
                let work = &work;
                scope.spawn(move || part.into_iter().map(work).collect::<Result<Vec<O>>>())
            })
            .collect();
        let mut results = Vec::new();
        for part in parts {
            results.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(results)
    })
}
