//! Labels from IDX files.

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
    fails(idx_images(4), &["holds images (magic 0x00000803)", "put the labels file"]);
    let integers = idx_of(0xc01, &[4], 16);
    fails(integers.clone(), &["no IDX file of labels", "0x00000c01, not 0x00000801"]);
    fails(gz(&integers), &["0x00000c01"]);
    fails(idx_of(0x802, &[4, 2], 8), &["0x00000802, not 0x00000801"]);
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
