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
fn train_and_test_folders_are_the_splits() {
    let first = ("train/a/1.png", grey(2, 2, 1));
    let second = ("test/b/2.png", grey(2, 2, 2));
    let data = open(&folder_of(&[first.clone(), second.clone(), ("loose.png", grey(2, 2, 9))]));
    assert_eq!(train(&data).pixels, [1; 4]);
    assert_eq!(test(&data).pixels, [2; 4]);
    assert!(open(&folder_of(&[first])).test.is_none());
    open_fails(&[second], &["has a folder test/ but no train/"]);
}

#[test]
fn an_empty_split_fails() {
    let image = grey(2, 2, 1);
    let keep = Vec::new();
    let files = [("train/a.png", image.clone()), ("test/keep.txt", keep.clone())];
    open_fails(&files, &["test: holds no .png"]);
    open_fails(&[("train/keep.txt", keep), ("test/a.png", image)], &["train: holds no .png"]);
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    for files in [vec![], vec![("a.gif", vec![1]), ("train-labels-idx1-ubyte", vec![1])]] {
        open_fails(&files, &["holds no dataset", TRAIN, ".png, .jpg and .jpeg", "subfolders"]);
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

#[test]
fn the_first_broken_file_is_the_one_named() {
    let names: Vec<String> = (0..40).map(|i| format!("{i:02}.png")).collect();
    let bytes = |i| if i < 7 { grey(1, 1, 1) } else { b"broken".to_vec() };
    let files: Vec<_> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), bytes(i))).collect();
    open_fails(&files, &["07.png"]);
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
    fails(Dataset::open(dir.path()), &["gone.png", "cannot read"]);
    fs::remove_file(dir.path().join("gone.png")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    fails(Dataset::open(dir.path()), &["loop", "remove the link"]);
}
