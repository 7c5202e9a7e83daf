//! How one image file becomes pixels.

use image::{ImageBuffer, LumaA, Rgba, RgbaImage};

use super::*;

/// `bytes` with an EXIF segment that says `orientation`, after the start marker.
fn with_orientation(bytes: &[u8], orientation: u8) -> Vec<u8> {
    let exif = [
        b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01".as_slice(),
        &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    [&bytes[..2], &exif, &bytes[2..]].concat()
}

#[test]
fn rgb_png_is_laid_out_planar() {
    let image = RgbImage::from_fn(3, 2, |x, y| Rgb([0, 100, 200].map(|c| c + (y * 10 + x) as u8)));
    let data = open(&folder_of(&[("a.png", png(image))]));
    assert_eq!(data.shape().unwrap(), shape(3, 2, 3));
    let plane = |c: u8| [0, 1, 2, 10, 11, 12].map(|v| v + c);
    assert_eq!(train(&data).pixels, [plane(0), plane(100), plane(200)].concat());
}

#[test]
fn jpegs_are_read_under_both_extensions() {
    let data = open(&folder_of(&[("a.jpg", jpeg()), ("b.JPEG", jpeg())]));
    assert_eq!(data.shape().unwrap(), shape(64, 64, 3));
    assert_eq!(train(&data).image(0), train(&data).image(1));
    let expected = libjpeg_turbo_rs::decompress(&jpeg()).unwrap().data;
    assert_eq!(train(&data).pixels[5], expected[5 * 3]);
}

#[test]
fn data_after_a_jpeg_is_no_fault() {
    // Phones append some.
    let trailed = [jpeg(), b"trailer".to_vec()].concat();
    assert_eq!(open(&folder_of(&[("a.jpg", trailed)])).train.len(), 1);
}

#[test]
fn grey_images_stay_grey_unless_any_is_coloured() {
    let (dull, red) = (("a.png", grey(2, 1, 7)), rgb(2, 1, [200, 100, 50]));
    assert_eq!(open(&folder_of(std::slice::from_ref(&dull))).shape().unwrap(), shape(2, 1, 1));
    let data = open(&folder_of(&[dull.clone(), ("b.png", red.clone())]));
    assert_eq!(data.shape().unwrap(), shape(2, 1, 3));
    assert_eq!(train(&data).image(0), [7; 6]);
    assert_eq!(train(&data).image(1), [200, 200, 100, 100, 50, 50]);
    // One coloured image of the test split makes both splits coloured.
    let data = open(&folder_of(&[("train/a.png", dull.1), ("test/b.png", red)]));
    assert_eq!(train(&data).shape, shape(2, 1, 3));
    assert_eq!(test(&data).shape, shape(2, 1, 3));
}

#[test]
fn a_palette_counts_as_coloured() {
    // Two pixels of a two-colour palette, red and blue; the crate writes no palettes itself.
    let data = open(&folder_of(&[("a.png", palette_png())]));
    assert_eq!(data.shape().unwrap(), shape(2, 1, 3));
    assert_eq!(train(&data).pixels, [255, 0, 0, 0, 0, 255]);
}

fn palette_png() -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&[0, 0, 1]).unwrap();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", vec![0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0]),
        (b"PLTE", vec![255, 0, 0, 0, 0, 255]),
        (b"IDAT", zlib.finish().unwrap()),
        (b"IEND", vec![]),
    ] {
        let chunk = [kind.as_slice(), &data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&chunk);
        bytes.extend(crc.sum().to_be_bytes());
    }
    bytes
}

#[test]
fn channels_option_converts() {
    let dir = folder_of(&[("a.png", rgb(1, 1, [255, 0, 0])), ("b.png", grey(1, 1, 9))]);
    let data = read(&dir, channels(1)).unwrap();
    assert_eq!(data.shape().unwrap(), shape(1, 1, 1));
    assert_eq!(train(&data).pixels, [54, 9]); // red weighs 0.2126 (Rec. 709)
    let dir = folder_of(&[("b.png", grey(1, 1, 9))]);
    assert_eq!(train(&read(&dir, channels(3)).unwrap()).pixels, [9, 9, 9]);
}

#[test]
fn alpha_is_blended_with_the_background() {
    let rgba = |alpha| png(RgbaImage::from_pixel(1, 1, Rgba([200, 100, 50, alpha])));
    let dir = folder_of(&[("0.png", rgba(0)), ("1.png", rgba(128)), ("2.png", rgba(255))]);
    let data = read(&dir, behind("black")).unwrap();
    assert_eq!(train(&data).pixels, [0, 0, 0, 100, 50, 25, 200, 100, 50]);
    let grey_alpha = ImageBuffer::from_pixel(1, 1, LumaA([200u8, 128]));
    let dir = folder_of(&[("a.png", png(DynamicImage::ImageLumaA8(grey_alpha)))]);
    let data = read(&dir, behind("black")).unwrap();
    assert_eq!((data.shape().unwrap(), &train(&data).pixels), (shape(1, 1, 1), &vec![100]));
}

#[test]
fn sixteen_bits_become_eight() {
    let deep = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0u16, 0x8080, 0xffff][x as usize]]));
    let data = open(&folder_of(&[("a.png", png(DynamicImage::ImageLuma16(deep)))]));
    assert_eq!((data.shape().unwrap(), &train(&data).pixels), (shape(3, 1, 1), &vec![0, 128, 255]));
}

#[test]
fn exif_orientation_turns_upright() {
    let wide = to_jpeg(&RgbImage::from_pixel(16, 8, Rgb([9, 9, 9])));
    let turned = with_orientation(&wide, 6);
    assert_eq!(open(&folder_of(&[("a.jpg", turned.clone())])).shape().unwrap(), shape(8, 16, 3));
    // The size asked for is that of the upright image.
    assert_eq!(
        read(&folder_of(&[("a.jpg", turned)]), sized(8, 16)).unwrap().shape().unwrap(),
        shape(8, 16, 3)
    );
}

#[test]
fn size_option_resizes_all() {
    let dir = folder_of(&[("a.png", grey(4, 2, 50)), ("b.png", grey(3, 5, 60)), ("c.jpg", jpeg())]);
    let data = read(&dir, sized(2, 3)).unwrap();
    assert_eq!(data.shape().unwrap(), shape(2, 3, 3));
    assert_eq!(train(&data).image(0), [50; 18]);
    assert_eq!(train(&data).image(1), [60; 18]);
}

#[test]
fn shrinking_averages() {
    let stripes = GrayImage::from_fn(64, 64, |x, _| Luma([(x % 2) as u8 * 200]));
    let data = read(&folder_of(&[("a.png", png(stripes))]), sized(4, 4)).unwrap();
    assert!(train(&data).pixels.iter().all(|&v| v.abs_diff(100) < 8), "{:?}", train(&data).pixels);
}

#[test]
fn files_that_are_not_what_their_name_says_fail() {
    for (bytes, part) in [
        (vec![], "b.png: is empty"),
        (vec![0; 99], "b.png: holds nothing but zeros"),
        (b"hello".to_vec(), "b.png: is no image of a known format"),
        (b"<html>404</html>".to_vec(), "b.png: is a web page"),
        (b"\0\0\0\x18ftypheic".to_vec(), "b.png: is an image in the format HEIC"),
        (b"GIF89a______________".to_vec(), "b.png: cannot be decoded"),
    ] {
        open_fails(&[("a.png", grey(2, 2, 1)), ("b.png", bytes)], &[part]);
    }
    // A JPEG named .png is readable, so it is read.
    assert_eq!(open(&folder_of(&[("a.png", jpeg())])).shape().unwrap(), shape(64, 64, 3));
}

#[test]
fn truncated_images_fail() {
    let parts = ["cannot be decoded", "replace it or take it out of the folder"];
    let whole = jpeg();
    for cut in [3, 20, whole.len() / 2, whole.len() - 2, whole.len() - 1] {
        let bytes = whole[..cut].to_vec();
        open_fails(
            &[("a.jpg", whole.clone()), ("b.jpg", bytes)],
            &[&["b.jpg"], &parts[..]].concat(),
        );
    }
    let whole = rgb(64, 64, [1, 2, 3]);
    for cut in [10, 40, whole.len() / 2] {
        let bytes = whole[..cut].to_vec();
        open_fails(
            &[("a.png", whole.clone()), ("b.png", bytes)],
            &[&["b.png"], &parts[..]].concat(),
        );
    }
}

#[test]
fn a_thumbnail_does_not_make_a_truncated_jpeg_whole() {
    let whole = jpeg();
    let thumbnail = b"\xff\xe1\x00\x0aExif\0\0\xff\xd9";
    let bytes = [&whole[..2], thumbnail, &whole[2..whole.len() / 2]].concat();
    open_fails(&[("a.jpg", bytes)], &["a.jpg", "truncated"]);
}

#[test]
fn a_decompression_bomb_fails() {
    let mut bytes = jpeg();
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xff); // height and width
    open_fails(&[("a.jpg", bytes)], &["a.jpg", "65535x65535 takes over 512 MiB"]);
}

/// Their pixels cannot be decoded, so it is the headers that say it.
#[test]
fn images_with_too_long_a_side_fail_after_the_headers() {
    for (width, height) in [(65_536, 1), (1, 70_000)] {
        let mut bytes = grey(width, height, 1);
        let files = |bytes: &[u8]| [("a.png", bytes.to_vec()), ("b.png", bytes.to_vec())];
        let resized = read(&folder_of(&files(&bytes)), sized(8, 8)).unwrap();
        assert_eq!(resized.train.len(), 2);
        bytes.truncate(bytes.len() - 20);
        let is = format!("a.png: is {width}x{height}, and a side has at most 65535 pixels");
        open_fails(&files(&bytes), &[&is, "to a smaller size"]);
    }
}
