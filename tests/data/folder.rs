//! Which files of a folder are read, in which order and shape.

use super::*;

#[test]
fn images_are_found_in_order_of_their_paths() {
    let data = open(&folder_of(&[
        ("b/2.PNG", grey(2, 2, 4)),
        ("b/1.png", grey(2, 2, 3)),
        ("c.png", grey(2, 2, 5)),
        ("a/z/deep.Png", grey(2, 2, 1)),
        ("a.png", grey(2, 2, 2)),
        (".hidden.png", grey(9, 9, 0)),
        (".hidden/a.png", grey(9, 9, 0)),
        ("notes.txt", b"not an image".to_vec()),
        ("png", b"no extension".to_vec()),
    ]));
    let firsts: Vec<u8> = train(&data).pixels.chunks(4).map(|image| image[0]).collect();
    assert_eq!(firsts, [1, 2, 3, 4, 5]);
    assert!(data.test.is_none());
}

#[test]
fn many_images_keep_their_order() {
    let names: Vec<String> = (0..100).map(|i| format!("{i:03}.png")).collect();
    let files: Vec<_> =
        names.iter().zip(0u8..).map(|(name, i)| (name.as_str(), grey(1, 1, i))).collect();
    assert_eq!(train(&open(&folder_of(&files))).pixels, (0..100).collect::<Vec<u8>>());
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    for files in [vec![], vec![("a.heic", vec![1]), ("train-labels-idx1-ubyte", vec![1])]] {
        open_fails(&files, &["holds no dataset", TRAIN, ".png, .jpg, .webp", "subfolders"]);
    }
}

#[test]
fn a_path_that_is_no_folder_fails() {
    let dir = folder_of(&[("a.png", grey(2, 2, 1))]);
    fails(Dataset::open(dir.path().join("a.png")), &["a.png: is not a folder"]);
    let error = fails(Dataset::open(dir.path().join("absent")), &["absent", "cannot read"]);
    assert!(matches!(error, Error::Io { .. }));
}

#[test]
fn impossible_options_fail() {
    let dir = folder_of(&[("a.png", grey(2, 2, 1))]);
    for (count, message) in [
        (0, "channels = 0: must be 1 or 3"),
        (2, "channels = 2: must be 1 or 3"),
        (4, "channels = 4: must be 1 or 3"),
    ] {
        usage_fails(&dir, channels(count), &[message]);
    }
    usage_fails(&dir, sized(0, 8), &["size = 0x8", "between 1 and"]);
    usage_fails(&dir, sized(8, 0), &["size = 8x0", "between 1 and"]);
    usage_fails(&dir, sized(8, usize::MAX), &["size = 8x", "between 1 and"]);
}

#[test]
fn mixed_sizes_fail_with_both() {
    let mixed = |files: &[(&str, Vec<u8>)], parts: &[&str]| {
        let error = fails(Dataset::open(folder_of(files).path()), parts);
        assert!(matches!(error, Error::MixedSizes { first_size: (4, 2), .. }), "{error:?}");
    };
    let files = [
        ("train/a.png", grey(4, 2, 1)),
        ("train/b.png", grey(4, 2, 1)),
        ("train/c.png", grey(3, 5, 1)),
        ("train/d.png", grey(7, 7, 1)),
    ];
    mixed(&files, &["c.png: is 3x5", "a.png is 4x2", "resize all images to one size"]);
    let files = [("train/a.png", grey(4, 2, 1)), ("test/b.png", grey(2, 4, 1))];
    mixed(&files, &["b.png: is 2x4", "a.png is 4x2"]);
}

/// Forty images of which some are broken at their beginning and some further on.
fn scraped() -> TempDir {
    let names: Vec<String> =
        (0..40).map(|i| format!("{}/{i:02}.png", ["cat", "dog"][i % 2])).collect();
    let bytes = |i: usize| {
        let mut bytes = png(GrayImage::from_fn(8, 8, |x, y| Luma([i as u8 + (x * y) as u8])));
        match i {
            7..=18 => b"broken".to_vec(),
            30 => {
                bytes.truncate(bytes.len() - 30);
                bytes
            }
            _ => bytes,
        }
    };
    let files: Vec<_> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), bytes(i))).collect();
    folder_of(&files)
}

#[test]
fn all_broken_files_are_told_of_at_once() {
    let error =
        fails(Dataset::open(scraped().path()), &["13 of 40 images", "take them out", "08.png"]);
    let Error::BadFiles { files, total: 13, images: 40, .. } = error else { panic!("{error:?}") };
    let names: Vec<_> =
        files.iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 10);
    assert_eq!(names[..7], ["08.png", "10.png", "12.png", "14.png", "16.png", "18.png", "07.png"]);
}

#[test]
fn broken_files_are_left_out_where_that_is_asked_for() {
    let skip = ReadOptions { skip_bad: true, ..ReadOptions::default() };
    let data = read(&scraped(), skip.clone()).unwrap();
    assert_eq!(data.train.len(), 27);
    let firsts: Vec<u8> = train(&data).pixels.chunks(64).map(|image| image[0]).collect();
    let kept =
        |parity| (0..40).filter(move |i| i % 2 == parity && !(7..=18).contains(i) && *i != 30);
    assert_eq!(firsts, kept(0).chain(kept(1)).collect::<Vec<u8>>());
    // Labels go with their images.
    let (names, indices) = labels(&data.train).unwrap();
    assert_eq!(names, ["cat", "dog"]);
    assert!(indices.iter().zip(&firsts).all(|(label, first)| *label == u32::from(first % 2)));
    let notes = notes(&data);
    assert!(notes[0].starts_with("13 of 40 images left out: cannot be read, such as"), "{notes:?}");
    // With nothing left there is nothing to go on with.
    let dir = folder_of(&[("a.png", vec![]), ("b.png", vec![])]);
    fails(read(&dir, skip), &["2 of 2 images cannot be read"]);
}

#[test]
fn images_of_every_format_are_read_whatever_they_are_called() {
    let picture = RgbImage::from_fn(6, 4, |x, y| Rgb([x as u8 * 40, y as u8 * 60, 200]));
    let formats = [
        ("b.bmp", ImageFormat::Bmp),
        ("d.ff", ImageFormat::Farbfeld),
        ("f.tiff", ImageFormat::Tiff),
        ("g.ppm", ImageFormat::Pnm),
        ("h.qoi", ImageFormat::Qoi),
        ("i.TGA", ImageFormat::Tga),
        ("j.webp", ImageFormat::WebP),
        // A wrong name.
        ("k.jpg", ImageFormat::WebP),
        ("l.png", ImageFormat::Bmp),
    ];
    let encoded = |format| match format {
        ImageFormat::Farbfeld => encode(DynamicImage::from(picture.clone()).into_rgba16(), format),
        _ => encode(picture.clone(), format),
    };
    let mut files: Vec<_> =
        formats.iter().map(|(name, format)| (*name, encoded(*format))).collect();
    files.push(("a.png", png(picture.clone())));
    let gif = encode(RgbImage::from_pixel(6, 4, Rgb([255, 0, 0])), ImageFormat::Gif);
    files.extend([("m.gif", gif.clone()), ("n.jpg", gif)]);
    files.extend(["o.jfif", "p.jpe", "q.JPG"].map(|name| (name, to_jpeg(&picture))));
    let data = open(&folder_of(&files));
    assert_eq!((data.train.len(), data.shape().unwrap()), (15, shape(6, 4, 3)));
    let images = train(&data);
    (1..10).for_each(|i| assert_eq!(images.image(i), images.image(0), "image {i}"));
    (10..12).for_each(|i| assert_eq!(images.image(i)[..24], [255; 24], "image {i}"));
    assert_eq!(notes(&data), [""; 0]);
}

#[test]
fn files_that_are_not_read_are_counted() {
    let image = grey(2, 2, 1);
    let data = open(&folder_of(&[
        ("a.png", png(GrayImage::from_fn(2, 2, |x, y| Luma([(x + 2 * y) as u8 * 80])))),
        ("a.heic", vec![1]),
        ("b.HEIC", vec![1]),
        ("README", vec![1]),
        ("labels.csv", vec![1]),
        // Made by other programs for themselves.
        ("Thumbs.db", vec![1]),
        ("desktop.ini", vec![1]),
        (".DS_Store", vec![1]),
        ("@eaDir/a.png/SYNOPHOTO_THUMB_M.png", image.clone()),
        ("__MACOSX/._a.png", image.clone()),
        (".thumbnails/a.png", image.clone()),
        ("Thumbs/a.png", image.clone()),
        ("lost+found/a.png", image),
    ]));
    assert_eq!(data.train.len(), 1);
    let expected = "not read: 4 files (2 .heic, 1 without extension, 1 .csv)";
    assert_eq!(notes(&data), [expected]);
    open_fails(&[("a.heic", vec![1])], &["holds no dataset", "it holds 1 file (1 .heic)"]);
}

#[test]
fn headers_tell_shape_and_numbers() {
    let files = [("train/a.png", grey(4, 2, 1)), ("train/b.png", rgb(4, 2, [1, 2, 3]))];
    let dir = folder_of(&[&files[..], &[("test/c.png", grey(4, 2, 1))]].concat());
    let survey = Dataset::survey(dir.path(), &ReadOptions::default()).unwrap();
    assert_eq!((survey.shape, survey.train, survey.test), (shape(4, 2, 3), 2, Some(1)));
    assert_eq!(survey.read().unwrap().train.len(), 2);
    usage_fails(&dir, sized(65_535, 65_535), &["size = 65535x65535", "MiB of memory", "smaller"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_broken_ones_named() {
    use std::os::unix::fs::symlink;
    let elsewhere = folder_of(&[("1.png", grey(2, 2, 5))]);
    let dir = folder_of(&[]);
    symlink(elsewhere.path(), dir.path().join("linked")).unwrap();
    symlink("/nowhere", dir.path().join(".#lock.png")).unwrap();
    symlink("/nowhere", dir.path().join("notes")).unwrap();
    assert_eq!(train(&open(&dir)).pixels, [5; 4]);
    symlink("/nowhere", dir.path().join("gone.png")).unwrap();
    fails(Dataset::open(dir.path()), &["gone.png", "cannot be read: No such file"]);
    fs::remove_file(dir.path().join("gone.png")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    fails(Dataset::open(dir.path()), &["loop", "remove the link"]);
}
