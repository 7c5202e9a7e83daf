//! Datasets as a user meets them: IDX and image folders, good and broken.

#[path = "../common/mod.rs"]
mod common;
mod decoding;
mod folder;
mod hold_out;
mod idx;
mod jpeg;
mod labels;
mod pixels;
mod real;
mod splits;
mod table;

use std::fs;
use std::io::Write;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::{TempDir, tempdir};
use vae_gpu::data::{Background, Column, Dataset, ImageShape, Images, ReadOptions, Table};
use vae_gpu::error::Error;

const TRAIN: &str = "train-images-idx3-ubyte";
const TEST: &str = "t10k-images-idx3-ubyte";

fn folder_of(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// An IDX file: `magic`, the dimensions, then 0, 1, 2... for `values` bytes.
fn idx_of(magic: u32, dims: &[u32], values: usize) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend((0..values).map(|i| i as u8));
    bytes
}

/// A sound IDX file of `count` images, 3 rows by 2 columns.
fn idx_images(count: u32) -> Vec<u8> {
    idx_of(0x803, &[count, 3, 2], count as usize * 6)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(image, ImageFormat::Png)
}

/// A PNG of one grey `value`.
fn grey(width: u32, height: u32, value: u8) -> Vec<u8> {
    png(GrayImage::from_pixel(width, height, Luma([value])))
}

fn rgb(width: u32, height: u32, value: [u8; 3]) -> Vec<u8> {
    png(RgbImage::from_pixel(width, height, Rgb(value)))
}

/// A JPEG with enough detail to be cut short.
fn jpeg() -> Vec<u8> {
    let noise = |x: u32, y: u32| Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8]);
    to_jpeg(&RgbImage::from_fn(64, 64, noise))
}

/// A JPEG as most programs write it, colours at half the resolution.
fn to_jpeg(image: &RgbImage) -> Vec<u8> {
    use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
    let (width, height) = (image.width() as usize, image.height() as usize);
    compress(image, width, height, PixelFormat::Rgb, 90, Subsampling::S420).unwrap()
}

fn open(dir: &TempDir) -> Dataset {
    Dataset::open(dir.path()).unwrap()
}

/// Images to train on.
fn train(data: &Dataset) -> &Images {
    data.train.images().unwrap()
}

/// Images of the test split.
fn test(data: &Dataset) -> &Images {
    data.test.as_ref().unwrap().images().unwrap()
}

/// The names of the classes and each row's, where the table has labels.
fn labels(table: &Table) -> Option<(Vec<&str>, &[u32])> {
    match table.column("label")? {
        Column::Classes { names, indices } => {
            Some((names.iter().map(String::as_str).collect(), indices))
        }
        other => panic!("labels are {other}"),
    }
}

fn read(dir: &TempDir, options: ReadOptions) -> Result<Dataset, Error> {
    Dataset::read(dir.path(), &options)
}

fn sized(width: usize, height: usize) -> ReadOptions {
    ReadOptions { size: Some((width, height)), ..ReadOptions::default() }
}

fn channels(channels: usize) -> ReadOptions {
    ReadOptions { channels: Some(channels), ..ReadOptions::default() }
}

/// The remarks on a dataset.
fn notes(data: &Dataset) -> Vec<String> {
    data.notes.iter().map(|note| note.to_string()).collect()
}

fn shape(width: usize, height: usize, channels: usize) -> ImageShape {
    ImageShape { width, height, channels }
}

/// Asserts that `result` failed in one line that holds all of `parts`; returns the error.
#[track_caller]
fn fails<T>(result: Result<T, Error>, parts: &[&str]) -> Error {
    let error = result.err().expect("this must fail");
    let message = error.to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    error
}

#[track_caller]
fn open_fails(files: &[(&str, Vec<u8>)], parts: &[&str]) {
    let dir = folder_of(files);
    let error = fails(Dataset::open(dir.path()), parts);
    assert!(matches!(error, Error::Data { .. } | Error::BadFiles { .. }), "{error:?}");
}

#[track_caller]
fn usage_fails(dir: &TempDir, options: ReadOptions, parts: &[&str]) {
    let error = fails(read(dir, options), parts);
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
}

/// Options with a background for transparent pixels.
fn behind(colour: &str) -> ReadOptions {
    ReadOptions { background: Some(colour.parse().unwrap()), ..ReadOptions::default() }
}
