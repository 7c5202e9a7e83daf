//! Datasets that cannot be read: exit code 1, the file at fault named, no run folder made.

use super::*;

const TRAIN: &str = "data/train-images-idx3-ubyte";

/// Asserts that training on a folder `data` of these files fails.
#[track_caller]
fn data_fails(files: &[(&str, Vec<u8>)], parts: &[&str]) {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    files.iter().for_each(|(name, bytes)| place.write(name, bytes));
    place.fails(&["train", "--data", "data", "--out", "run"], 1, parts);
}

#[test]
fn a_folder_that_is_missing_or_empty_fails() {
    data_fails(&[], &["data: holds no dataset", "train-images-idx3-ubyte", ".png, .jpg and .jpeg"]);
    let place = Place::new();
    let train = |data| ["train", "--out", "run", "--data", data];
    place.fails(&train("absent"), 1, &["absent: cannot read the dataset: No such file"]);
    place.fails(
        &train("idxx"),
        1,
        &["No such file or directory (os error 2); did you mean `idx`?"],
    );
    place.fails(&train("digit"), 1, &["; did you mean `digits`?"]);
    place.fails(&train("tiny.toml"), 1, &["tiny.toml: is not a folder; a dataset is a folder of"]);
}

#[test]
fn idx_files_that_are_cut_short_fail() {
    let whole = idx(64, 8, 8);
    let part = whole[..whole.len() - 9].to_vec();
    let parts = ["images-idx3-ubyte: is truncated", "64 images of 8x8, 4096 bytes, but 4087"];
    data_fails(&[(TRAIN, part.clone())], &parts);
    data_fails(&[(TRAIN, whole), ("data/t10k-images-idx3-ubyte", part)], &["t10k", "truncated"]);
    let packed = gz(&idx(64, 8, 8));
    let part = packed[..packed.len() / 2].to_vec();
    let name = "data/train-images-idx3-ubyte.gz";
    data_fails(&[(name, part)], &["ubyte.gz: is truncated or corrupt", "download it again"]);
    data_fails(&[(TRAIN, vec![0, 0, 8])], &["is truncated: 3 bytes, where the header alone"]);
    data_fails(&[(TRAIN, idx_header(0, 8, 8))], &["declares 0 images of 8x8, so holds none"]);
}

#[test]
fn idx_files_of_something_else_fail() {
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 2], [3; 2].as_slice()].concat();
    data_fails(&[(TRAIN, labels)], &["train-images-idx3-ubyte: holds labels", "put the images"]);
    data_fails(&[(TRAIN, b"<html>404".to_vec())], &["is no IDX file of images: it begins with"]);
}

#[test]
fn labels_that_do_not_fit_the_images_fail() {
    let labels = ("data/train-labels-idx1-ubyte", vec![0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]);
    let parts = ["train-labels-idx1-ubyte: holds 3 labels while", "holds 4 images", "one dataset"];
    data_fails(&[(TRAIN, idx(4, 8, 8)), labels], &parts);
}

#[test]
fn a_png_that_is_none_fails() {
    let sound = ("data/a.png", png(8, 8, 1));
    data_fails(&[sound.clone(), ("data/b.png", b"GIF89a".to_vec())], &["b.png: is neither a PNG"]);
    data_fails(&[sound.clone(), ("data/b.png", Vec::new())], &["b.png: is neither a PNG"]);
    let mut cut = png(8, 8, 1);
    cut.truncate(cut.len() - 20);
    data_fails(&[sound, ("data/b.png", cut)], &["b.png: cannot be decoded", "take it out of the"]);
}

#[test]
fn images_of_mixed_size_ask_for_one() {
    let files = [("data/a.png", png(8, 8, 1)), ("data/b.png", png(9, 8, 1))];
    data_fails(&files, &["b.png: is 9x8", "a.png is 8x8", "to one size with --size 8x8"]);
}

/// As a shell completes the name of a folder.
#[test]
fn a_folder_called_digits_is_no_builtin() {
    let place = Place::new();
    place.fails(&["train", "--data", "digits/"], 1, &["digits/: cannot read the dataset"]);
}

/// What is printed makes the folder that was asked for, of the files that are read from it.
#[test]
fn mnist_says_where_it_comes_from() {
    let place = Place::new();
    for data in ["mnist", "data/MNIST"] {
        let get = format!("curl --create-dirs --output-dir {data} --remote-name-all 'https://");
        let parts = [&get, "{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz'", "MNIST does not"];
        place.fails(&["train", "--data", data, "--out", "run"], 1, &parts);
        place.fails(&["inspect", "mlp", "--data", data], 1, &parts);
    }
    place.fails(&["train", "--data", "Fashion_MNIST"], 1, &["Fashion-MNIST", "'http://fashion"]);
}
