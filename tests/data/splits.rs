//! Folders that are splits by their names.

use super::*;

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
    open_fails(&files, &["test: holds no image"]);
    open_fails(&[("train/keep.txt", keep), ("test/a.png", image)], &["train: holds no image"]);
}

/// The number of images in each split of a dataset of these folders, and the remarks.
fn splits(folders: &[(&str, u8)]) -> (usize, Option<usize>, Vec<String>) {
    let names: Vec<String> = folders
        .iter()
        .flat_map(|(folder, count)| (0..*count).map(move |i| format!("{folder}/{i}.png")))
        .collect();
    let image = |i| png(GrayImage::from_fn(4, 4, |x, y| Luma([(x * y * 20) as u8 + i])));
    let files: Vec<_> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), image(i))).collect();
    let data = open(&folder_of(&files));
    (data.train.len(), data.test.as_ref().map(Table::len), notes(&data))
}

#[test]
fn splits_have_their_usual_names() {
    for [train, test] in [
        ["train", "val"],
        ["Train", "Test"],
        ["TRAIN", "test"],
        ["training", "testing"],
        ["train", "valid"],
        ["train", "validation"],
        ["train", "dev"],
        ["train", "eval"],
        ["train2017", "val2017"],
        ["training_set", "test_set"],
        ["archive/train-images", "archive/test-images"],
        ["images_train", "images_test"],
    ] {
        let found = splits(&[(train, 5), (test, 3)]);
        assert_eq!(found, (5, Some(3), vec![]), "{train} and {test}");
    }
    // A class may be called so.
    assert_eq!(splits(&[("dev", 2), ("ops", 3)]), (5, None, vec![]));
    assert_eq!(splits(&[("trains", 2), ("contest", 3)]), (5, None, vec![]));
}

#[test]
fn test_images_are_never_trained_on() {
    let (train, test, notes) = splits(&[("train", 5), ("val", 2), ("test", 3)]);
    assert_eq!((train, test), (5, Some(2)));
    assert!(notes[0].starts_with("not read: test/ (3 images), since val/ is the test split"));
    let (train, test, notes) = splits(&[("train", 5), ("extra", 3)]);
    assert_eq!((train, test), (5, None));
    assert!(notes[0].starts_with("not read: 3 images outside of the splits, such as"), "{notes:?}");
    for test in ["x_test", "test1", "myTest", "TEST A/cat"] {
        let (train, none, notes) = splits(&[("x_train", 5), (test, 3)]);
        assert_eq!((train, none), (8, None), "{test}");
        let remark =
            "read for training: 3 images that may be test images by the name of their folder";
        assert!(notes[0].starts_with(remark) && notes[0].contains(test), "{notes:?}");
    }
    let image = grey(2, 2, 1);
    for name in ["test/a.png", "Val/a.png", "testing/a.png", "data/test/a.png"] {
        open_fails(&[(name, image.clone())], &["but no train/", "to train on all images"]);
    }
}

#[test]
fn splits_may_lie_in_each_class() {
    let image = |value| png(GrayImage::from_fn(2, 2, |x, y| Luma([value + (x + y) as u8 * 90])));
    let data = open(&folder_of(&[
        ("cat/train/1.png", image(1)),
        ("cat/test/2.png", image(2)),
        ("dog/train/3.png", image(3)),
        ("dog/test/4.png", image(4)),
    ]));
    assert_eq!((train(&data).pixels[0], train(&data).pixels[4]), (1, 3));
    assert_eq!(labels(&data.train).unwrap(), (vec!["cat", "dog"], &[0, 1][..]));
    assert_eq!(labels(data.test.as_ref().unwrap()).unwrap(), (vec!["cat", "dog"], &[0, 1][..]));
}

/// Only some file systems have such folders.
#[test]
fn two_folders_of_one_split_fail() {
    let image = grey(2, 2, 1);
    let files = [("train/a.png", image.clone()), ("training/a.png", image)];
    open_fails(&files, &["holds both train/ and training/", "rename one"]);
}
