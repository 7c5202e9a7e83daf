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
    data_fails(&[], &["data: holds no dataset", "train-images-idx3-ubyte", ".png, .jpg, .webp"]);
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
    let skip = "leave it out with --skip-bad";
    let text = b"hello".to_vec();
    data_fails(&[sound.clone(), ("data/b.png", text)], &["b.png: is no image of a known", skip]);
    data_fails(&[sound.clone(), ("data/b.png", Vec::new())], &["b.png: is empty", skip]);
    let mut cut = png(8, 8, 1);
    cut.truncate(cut.len() - 20);
    data_fails(&[sound, ("data/b.png", cut)], &["b.png: cannot be decoded", "take it out of the"]);
}

#[test]
fn all_bad_files_are_named_at_once_or_left_out() {
    let place = Place::new();
    for i in 0..20 {
        place.write(&format!("data/{i:02}.png"), png(8, 8, 8 * i));
        if i < 12 {
            place.write(&format!("data/{i:02}_bad.png"), "broken");
        }
    }
    let train = ["train", "--config", "tiny.toml", "--data", "data", "--out", "run"];
    let Ran { code, stderr, .. } = place.run(&train);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!((code, lines.len()), (Some(1), 12), "{stderr}");
    for part in ["error: ", "12 of 32 images cannot be read", "leave them out with --skip-bad:"] {
        assert!(lines[0].contains(part), "{stderr}");
    }
    assert_eq!(lines[1], "  00_bad.png: is no image of a known format, despite its name");
    assert_eq!(lines[11], "  and 2 more");
    assert!(!place.path("run").exists());
    let Ran { code, stderr, .. } = place.run(&[&train[..], &["--skip-bad"]].concat());
    let expected = "note: 12 of 32 images left out: cannot be read, such as 00_bad.png (is no image of \
                    a known format, despite its name)\n";
    assert_eq!((code, &*stderr), (Some(0), expected));
    // The run knows how its images were read.
    let Ran { code, stdout, .. } = place.run(&["evaluate", "run"]);
    assert!(code == Some(0) && stdout.contains("20"), "{stdout}");
}

#[test]
fn remarks_name_the_flag_that_changes_what_they_are_about() {
    let place = Place::new();
    let ink = |x: u32, y: u32| image::LumaA([0u8, if x == y { 255 } else { 0 }]);
    for i in 0..16 {
        let drawing = image::ImageBuffer::from_fn(8, 8, |x, y| ink(x + i % 4, y));
        fs::create_dir_all(place.path("data")).unwrap();
        drawing.save(place.path(format!("data/{i}.png"))).unwrap();
    }
    let train = ["train", "--config", "tiny.toml", "--data", "data", "--overwrite", "--out", "run"];
    let Ran { code, stderr, .. } = place.run(&train);
    let expected = "note: transparent pixels are blended with white (--background)\n";
    assert_eq!((code, &*stderr), (Some(0), expected));
    place.ok(&[&train[..], &["--background", "#ffffff"]].concat());
    assert!(place.text("run/config.toml").contains("background = \"white\""));
    let Ran { stderr, .. } = place.run(&[&train[..], &["--background", "black"]].concat());
    assert!(stderr.starts_with("note: every pixel of every image is 0"), "{stderr}");
    let wrong = [&train[..], &["--background", "red"]].concat();
    place.fails(&wrong, 2, &["--background", "must be white, black or a colour as in #ff8000"]);
}

/// The pixels of its images cannot be decoded, so an error about anything else comes before that.
#[test]
fn what_cannot_fit_is_refused_after_the_headers() {
    let place = Place::new();
    let mut cut = png(8, 8, 1);
    cut.truncate(cut.len() - 20);
    (0..16).for_each(|i| place.write(&format!("data/{i}.png"), &cut));
    let conv = "[model]\nlatent = 2\nencoder = [{ conv2d = 2, kernel = 8, stride = 8 }, \
                { avg_pool2d = 8 }, \"flatten\"]\ndecoder = [{ linear = 16384 }, \
                { reshape = [1, 128, 128] }, { upsample = 64 }]\n\n[train]\nbatch_size = 16\n";
    place.write("conv.toml", conv);
    let train = |config, size| {
        ["train", "--config", config, "--data", "data", "--out", "run", "--size", size]
    };
    let parts = ["size (--size) = 65535x65535", "MiB of memory", "choose a smaller size"];
    place.fails(&train("conv.toml", "65535x65535"), 2, &parts);
    place.fails(&train("conv.toml", "8192x8192"), 1, &["a training step: ", "(--batch-size)"]);
    place.fails(&train("tiny.toml", "8192x8192"), 1, &["all parameters of the model: "]);
    place.train("good", &[]);
    let evaluate = ["evaluate", "good", "--data", "data", "--size", "9x9"];
    place.fails(&evaluate, 2, &["the model takes images of 8x8x1", "the dataset has 9x9x1"]);
    // A shape of the model's own, and so the pixels at last.
    let evaluate = ["evaluate", "good", "--data", "data"];
    let Ran { code, stderr, .. } = place.run(&evaluate);
    assert!(code == Some(1) && stderr.contains("16 of 16 images cannot be read"), "{stderr}");
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
