//! Pixels that could become nothing: transparency, ranges of values other than the file's own.

use image::{ImageBuffer, LumaA, Rgba, RgbaImage};

use super::*;

/// A drawing of `ink` on a transparent ground.
fn drawing(ink: [u8; 3]) -> Vec<u8> {
    let [r, g, b] = ink;
    png(RgbaImage::from_fn(8, 8, |x, _| match x {
        3 => Rgba([r, g, b, 255]),
        4 => Rgba([r, g, b, 128]),
        _ => Rgba([0, 0, 0, 0]),
    }))
}

/// The first channel of the first row of a dataset of one image.
fn row(data: &Dataset) -> Vec<u8> {
    train(data).pixels[..train(data).shape.width].to_vec()
}

#[test]
fn ink_on_a_transparent_ground_stays_visible() {
    let data = open(&folder_of(&[("a.png", drawing([0, 0, 0]))]));
    assert_eq!(row(&data), [255, 255, 255, 0, 127, 255, 255, 255]);
    assert_eq!(notes(&data), ["transparent pixels are blended with white"]);
    assert_eq!(data.notes[0].key, Some("background"));
    let data = open(&folder_of(&[("a.png", drawing([255, 255, 255]))]));
    assert_eq!(row(&data), [0, 0, 0, 255, 128, 0, 0, 0]);
    assert_eq!(notes(&data), ["transparent pixels are blended with black"]);
    let grey = ImageBuffer::from_fn(4, 1, |x, _| LumaA([0u8, if x == 1 { 255 } else { 0 }]));
    let data = open(&folder_of(&[("a.png", png(DynamicImage::ImageLumaA8(grey)))]));
    assert_eq!((data.shape().unwrap(), row(&data)), (shape(4, 1, 1), vec![255, 0, 255, 255]));
    // What is opaque throughout needs no background.
    let opaque = png(RgbaImage::from_fn(2, 2, |x, _| Rgba([x as u8 * 99, 0, 0, 255])));
    assert_eq!(notes(&open(&folder_of(&[("a.png", opaque)]))), [""; 0]);
}

#[test]
fn a_background_can_be_chosen() {
    let dir = folder_of(&[("a.png", drawing([0, 0, 0]))]);
    let data = read(&dir, behind("#ff8000")).unwrap();
    let image = train(&data).image(0);
    assert_eq!([image[0], image[64], image[128]], [255, 128, 0]);
    assert_eq!(notes(&data), [""; 0]);
    let data = read(&dir, behind("black")).unwrap();
    assert_eq!(notes(&data), ["every pixel of every image is 0: there is nothing to learn"]);
    // A coloured ground makes grey images coloured.
    let grey = ImageBuffer::from_pixel(2, 2, LumaA([9u8, 0]));
    let dir = folder_of(&[("a.png", png(DynamicImage::ImageLumaA8(grey)))]);
    assert_eq!(read(&dir, behind("#ff8000")).unwrap().shape().unwrap(), shape(2, 2, 3));
    for wrong in ["red", "#12345", "#+12345", "ff8000"] {
        let error = wrong.parse::<Background>().unwrap_err();
        assert!(matches!(&error, Error::Config { key, .. } if key == "background"), "{error}");
    }
}

/// A 16-bit image whose largest value is `largest`.
fn deep(largest: u16) -> Vec<u8> {
    let image = ImageBuffer::from_fn(4, 1, |x, _| Luma([(u32::from(largest) * x / 3) as u16]));
    png(DynamicImage::ImageLuma16(image))
}

/// A PNG that declares `bits` significant bits.
fn with_significant_bits(png: &[u8], bits: u8) -> Vec<u8> {
    let chunk = [b"sBIT".as_slice(), &[bits]].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    // Before it are the signature and the header.
    [&png[..33], &[0, 0, 0, 1], &chunk, &crc.sum().to_be_bytes(), &png[33..]].concat()
}

#[test]
fn twelve_bits_in_files_of_sixteen_fill_the_range() {
    let data = open(&folder_of(&[("a.png", deep(4095)), ("b.png", deep(2000))]));
    assert_eq!(train(&data).pixels, [0, 85, 170, 255, 0, 41, 83, 125]);
    let expected = "the values of the 16-bit images reach 4095 at most, so 4095 is taken for white";
    assert_eq!(notes(&data), [expected]);
    // Whole ranges stay, and what is said counts.
    let data = open(&folder_of(&[("a.png", deep(65_535)), ("b.png", deep(4095))]));
    assert_eq!((&train(&data).pixels[..4], notes(&data).len()), (&[0, 85, 170, 255][..], 0));
    let dir = folder_of(&[("a.png", deep(4095))]);
    let white = |white| ReadOptions { white: Some(white), ..ReadOptions::default() };
    assert_eq!(row(&read(&dir, white(8190)).unwrap()), [0, 43, 85, 128]);
    assert_eq!(row(&read(&dir, white(2047)).unwrap()), [0, 170, 255, 255]);
    usage_fails(&dir, white(0), &["white = 0", "between 1 and 65535"]);
    // Dark images of a camera that declares its 12 bits.
    let declared = with_significant_bits(&deep(900), 12);
    assert_eq!(row(&open(&folder_of(&[("a.png", declared)]))), [0, 19, 37, 56]);
    // The values of a file may have been scaled already, as the format asks for.
    let scaled = with_significant_bits(&deep(65_520), 12);
    assert_eq!(row(&open(&folder_of(&[("a.png", scaled)]))), [0, 85, 170, 255]);
}

#[test]
fn masks_of_zeros_and_ones_are_remarked_on() {
    let mask = png(GrayImage::from_fn(4, 1, |x, _| Luma([x as u8 % 2])));
    let dir = folder_of(&[("a.png", mask)]);
    let data = open(&dir);
    assert_eq!(row(&data), [0, 1, 0, 1]);
    assert!(notes(&data)[0].starts_with("all pixels lie between 0 and 1 of 255, 2 levels"));
    assert_eq!(data.notes[0].key, Some("white"));
    let data = read(&dir, ReadOptions { white: Some(1), ..ReadOptions::default() }).unwrap();
    assert_eq!((row(&data), notes(&data)), (vec![0, 255, 0, 255], vec![]));
    // No option is for IDX images, so none is advised.
    let idx = folder_of(&[(TRAIN, [idx_of(0x803, &[2, 3, 2], 2), vec![0; 10]].concat())]);
    // In memory, and from the file.
    for memory in [None, Some(0)] {
        let data = read(&idx, ReadOptions { memory, ..ReadOptions::default() }).unwrap();
        assert_eq!(notes(&data), ["all pixels lie between 0 and 1 of 255, 2 levels"]);
    }
    let black = grey(4, 4, 0);
    let data = open(&folder_of(&[("a.png", black.clone()), ("b.png", black)]));
    assert_eq!(notes(&data), ["every pixel of every image is 0: there is nothing to learn"]);
}
