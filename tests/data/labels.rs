//! Labels from IDX files, from class folders, and of the built-in digits.

use super::*;

const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// A sound IDX file of these labels.
fn idx_labels(labels: &[u8]) -> Vec<u8> {
    [&idx_of(0x801, &[labels.len() as u32], 0), labels].concat()
}

/// Images of `count` and these files beside them.
fn with_images(count: u32, files: &[(&str, Vec<u8>)]) -> Vec<(&'static str, Vec<u8>)> {
    let leak = |name: &str| -> &'static str { name.to_owned().leak() };
    let files = files.iter().map(|(name, bytes)| (leak(name), bytes.clone()));
    [(TRAIN, idx_images(count))].into_iter().chain(files).collect()
}

#[test]
fn idx_labels_are_classes_called_by_their_numbers() {
    let dir = folder_of(&[
        (TRAIN, idx_images(4)),
        (TRAIN_LABELS, idx_labels(&[2, 0, 1, 2])),
        (TEST, idx_images(2)),
        (TEST_LABELS, idx_labels(&[4, 0])),
    ]);
    let data = open(&dir);
    // Both splits have the classes of both.
    let names = vec!["0", "1", "2", "3", "4"];
    assert_eq!(labels(&data.train), Some((names.clone(), &[2, 0, 1, 2][..])));
    assert_eq!(labels(data.test.as_ref().unwrap()), Some((names, &[4, 0][..])));
    let columns: Vec<_> = data.train.columns().map(|(name, _)| name).collect();
    assert_eq!(columns, ["image", "label"]);
}

#[test]
fn idx_labels_are_found_under_every_spelling_and_gzipped() {
    for name in ["train-labels-idx1-ubyte", "train-labels.idx1-ubyte"] {
        for (name, packed) in [(name.to_owned(), false), (format!("{name}.gz"), true)] {
            let bytes = idx_labels(&[1, 0, 0, 1]);
            for bytes in [if packed { gz(&bytes) } else { bytes.clone() }, gz(&bytes), bytes] {
                let data = open(&folder_of(&with_images(4, &[(&name, bytes)])));
                assert_eq!(
                    labels(&data.train),
                    Some((vec!["0", "1"], &[1, 0, 0, 1][..])),
                    "{name}"
                );
            }
        }
    }
    // An unpacked file before its archive.
    let archive = ("train-labels-idx1-ubyte.gz", gz(&idx_labels(&[0; 4])));
    let files = with_images(4, &[archive, (TRAIN_LABELS, idx_labels(&[1; 4]))]);
    assert_eq!(labels(&open(&folder_of(&files)).train).unwrap().1, [1; 4]);
}

#[test]
fn either_split_may_lack_labels() {
    let data = open(&folder_of(&with_images(4, &[])));
    assert_eq!((labels(&data.train), data.train.columns().count()), (None, 1));
    let data = open(&folder_of(&[
        (TRAIN, idx_images(2)),
        (TEST, idx_images(1)),
        (TRAIN_LABELS, idx_labels(&[1, 0])),
    ]));
    assert!(labels(&data.train).is_some());
    assert!(labels(data.test.as_ref().unwrap()).is_none());
    // Labels of a split that is not there are nobody's.
    let data = open(&folder_of(&with_images(2, &[(TEST_LABELS, idx_labels(&[1, 0, 2]))])));
    assert!(labels(&data.train).is_none() && data.test.is_none());
}

#[test]
fn idx_labels_of_another_count_fail() {
    for (count, plain) in [(3, true), (5, true), (5, false)] {
        let bytes = idx_labels(&vec![0; count]);
        let bytes = if plain { bytes } else { gz(&bytes) };
        let holds = format!("holds {count} labels while");
        let parts = [TRAIN_LABELS, &holds, TRAIN, "holds 4 images", "one dataset"];
        open_fails(&with_images(4, &[(TRAIN_LABELS, bytes)]), &parts);
    }
    let test = [(TEST, idx_images(2)), (TEST_LABELS, idx_labels(&[0; 3]))];
    open_fails(
        &with_images(4, &test),
        &[TEST_LABELS, "holds 3 labels while", TEST, "holds 2 images"],
    );
}

#[test]
fn idx_labels_of_another_type_or_dimension_fail() {
    let fails = |bytes, parts: &[&str]| {
        let files = with_images(4, &[(TRAIN_LABELS, bytes)]);
        open_fails(&files, &[&[TRAIN_LABELS], parts].concat());
    };
    fails(idx_images(4), &["holds images under the name", "put the labels in its place"]);
    let floats = idx_of(0xd01, &[4], 16);
    fails(floats.clone(), &["holds 32-bit floats", "labels are unsigned bytes or integers"]);
    fails(gz(&floats), &["holds 32-bit floats"]);
    fails(idx_of(0x802, &[4, 2], 8), &["unsigned bytes, 2 dimensions (4x2)"]);
    fails(b"<html>404</html>".to_vec(), &["no IDX file of labels"]);
}

#[test]
fn damaged_idx_labels_fail() {
    let whole = idx_labels(&[1, 2, 3, 4]);
    let fails = |bytes, parts: &[&str]| {
        let files = with_images(4, &[(TRAIN_LABELS, bytes)]);
        open_fails(&files, &[&[TRAIN_LABELS], parts].concat());
    };
    for cut in [0, 3, 4, 7] {
        fails(whole[..cut].to_vec(), &["is truncated", "the header alone takes 8"]);
    }
    let parts = ["is truncated", "declares 4 labels, 4 bytes, but 3 follow"];
    fails(whole[..11].to_vec(), &parts);
    fails(gz(&whole[..11]), &parts);
    fails([&whole[..], &[0]].concat(), &["extra bytes at its end", "4 labels"]);
    fails(idx_of(0x801, &[u32::MAX], 4), &["is truncated", "but 4 follow"]);
    fails(idx_of(0x801, &[0], 0), &["declares 0 labels"]);
    let packed = gz(&whole);
    fails(packed[..packed.len() - 3].to_vec(), &["is truncated or corrupt"]);
}

#[test]
fn class_folders_are_labels_in_the_order_of_their_names() {
    let data = open(&folder_of(&[
        ("train/dog/1.png", grey(1, 1, 1)),
        ("train/cat/deep/er/2.png", grey(1, 1, 2)),
        ("train/10/3.png", grey(1, 1, 3)),
        ("train/cat/1.png", grey(1, 1, 4)),
        ("test/emu/1.png", grey(1, 1, 5)),
        ("test/cat/1.png", grey(1, 1, 6)),
        ("train/empty/notes.txt", b"no image".to_vec()),
    ]));
    let names = vec!["10", "cat", "dog", "emu"];
    assert_eq!(train(&data).pixels, [3, 4, 2, 1]);
    assert_eq!(labels(&data.train), Some((names.clone(), &[0, 1, 1, 2][..])));
    assert_eq!(test(&data).pixels, [6, 5]);
    assert_eq!(labels(data.test.as_ref().unwrap()), Some((names, &[1, 3][..])));
}

#[test]
fn class_folders_need_no_train_folder() {
    let data = open(&folder_of(&[("b/1.png", grey(1, 1, 1)), ("a/2.png", grey(1, 1, 2))]));
    assert_eq!(labels(&data.train), Some((vec!["a", "b"], &[0, 1][..])));
}

#[test]
fn images_beside_class_folders_make_no_labels() {
    let mixed = [("train/cat/1.png", grey(1, 1, 1)), ("train/2.png", grey(1, 1, 2))];
    assert_eq!(labels(&open(&folder_of(&mixed)).train), None);
    let flat = [("train/1.png", grey(1, 1, 1)), ("train/2.png", grey(1, 1, 2))];
    assert_eq!(labels(&open(&folder_of(&flat)).train), None);
    // Each split by itself: a test split is often unlabelled.
    let half = [("train/cat/1.png", grey(1, 1, 1)), ("test/2.png", grey(1, 1, 2))];
    let data = open(&folder_of(&half));
    assert_eq!(labels(&data.train), Some((vec!["cat"], &[0][..])));
    assert_eq!(labels(data.test.as_ref().unwrap()), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_class_folder_whose_name_is_no_text_makes_no_labels() {
    use std::os::unix::ffi::OsStrExt;
    let dir = folder_of(&[("cat/1.png", grey(1, 1, 1))]);
    let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"d\xe9j\xe0"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("2.png"), grey(1, 1, 2)).unwrap();
    let data = open(&dir);
    assert_eq!((data.train.len(), labels(&data.train)), (2, None));
}

#[test]
fn the_built_in_digits_are_labelled() {
    let data = Dataset::digits();
    for (split, count) in [(&data.train, 20_000), (data.test.as_ref().unwrap(), 2_000)] {
        let (names, digits) = labels(split).unwrap();
        assert_eq!((names.join(""), digits.len()), ("0123456789".into(), count));
        // A one takes the least ink, whoever writes it, and an eight more.
        let ink = |digit: u32| {
            let images = digits.iter().enumerate().filter(|(_, d)| **d == digit).map(|(i, _)| i);
            let images = split.images().unwrap().select(&images.collect::<Vec<_>>());
            assert_eq!(images.len(), count / 10);
            images.pixels.iter().map(|&p| u64::from(p)).sum::<u64>()
        };
        let inks: Vec<u64> = (0..10).map(ink).collect();
        assert_eq!(inks.iter().min(), Some(&inks[1]), "{inks:?}");
        assert!(2 * inks[1] < inks[8], "{inks:?}");
    }
}
