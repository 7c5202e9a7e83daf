//! IDX files.

use super::*;

#[test]
fn idx_reads_both_splits() {
    let dir = folder_of(&[(TRAIN, idx_images(4)), (TEST, idx_images(2))]);
    let data = open(&dir);
    assert_eq!(data.shape().unwrap(), shape(2, 3, 1));
    assert_eq!(train(&data).pixels, (0..24).collect::<Vec<u8>>());
    assert_eq!(test(&data).pixels, (0..12).collect::<Vec<u8>>());
    assert_eq!(data.name, dir.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn idx_is_the_same_under_every_spelling_and_gzipped() {
    let names = [TRAIN, "train-images.idx3-ubyte"];
    let gz_names = ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte.gz"];
    // The content decides, not the name: some browsers unpack and keep `.gz`, or the reverse.
    for name in [names, gz_names].concat() {
        for bytes in [idx_images(4), gz(&idx_images(4))] {
            let data = open(&folder_of(&[(name, bytes)]));
            assert_eq!(train(&data).pixels, (0..24).collect::<Vec<u8>>(), "{name}");
            assert!(data.test.is_none());
        }
    }
}

#[test]
fn idx_gzip_may_have_several_members() {
    let bytes = idx_images(4);
    let members = [gz(&bytes[..20]), gz(&bytes[20..])].concat();
    assert_eq!(open(&folder_of(&[(TRAIN, members)])).train.len(), 4);
}

#[test]
fn idx_comes_before_images() {
    let data = open(&folder_of(&[(TRAIN, idx_images(4)), ("a.png", grey(8, 8, 1))]));
    assert_eq!(data.shape().unwrap(), shape(2, 3, 1));
    assert_eq!(notes(&data)[0], "not read: 1 image file beside the IDX files, such as a.png");
    let below = ("emnist/train-images-idx3-ubyte", idx_images(3));
    let data = open(&folder_of(&[(TRAIN, idx_images(4)), below]));
    assert_eq!(data.train.len(), 4);
    assert_eq!(notes(&data)[0], "not read: the dataset of emnist/train-images-idx3-ubyte");
}

#[test]
fn idx_test_without_train_fails() {
    open_fails(&[(TEST, idx_images(2))], &[TEST, "without its training file", TRAIN]);
}

#[test]
fn idx_of_the_wrong_kind_fails() {
    let labels = idx_of(0x801, &[4], 4);
    open_fails(&[(TRAIN, labels.clone())], &[TRAIN, "holds labels", "put the images"]);
    open_fails(&[(TRAIN, gz(&labels))], &[TRAIN, "holds labels"]);
    for page in ["<html>404</html>", "\0\0\u{7}\u{3}0123", "\0\u{1}\u{8}\u{3}0123"] {
        let page = page.as_bytes().to_vec();
        open_fails(&[(TRAIN, page)], &[TRAIN, "no IDX file of images", "begins with 0x"]);
    }
}

#[test]
fn idx_of_other_types_and_dimensions_is_named_for_what_it_is() {
    for (magic, dims, words) in [
        (0xd03, &[4, 3, 2][..], "32-bit floats, 3 dimensions (4x3x2)"),
        (0xe03, &[4, 3, 2], "64-bit floats"),
        (0xc03, &[4, 3, 2], "32-bit integers"),
        (0xb03, &[4, 3, 2], "16-bit integers"),
        (0x903, &[4, 3, 2], "signed bytes"),
        (0x802, &[4, 6], "unsigned bytes, 2 dimensions (4x6)"),
        (0x804, &[4, 3, 2, 3], "unsigned bytes, 4 dimensions (4x3x2x3)"),
        (0xd01, &[24], "32-bit floats, 1 dimension (24)"),
    ] {
        let wanted = "images are unsigned bytes of 3 dimensions (count, height, width)";
        for name in [TRAIN, "train-images-idx4-ubyte"] {
            open_fails(&[(name, idx_of(magic, dims, 24))], &[name, "holds", words, wanted]);
        }
    }
    for (magic, dims, words) in [
        (0xd01, &[4][..], "32-bit floats, 1 dimension (4)"),
        (0x802, &[4, 10], "unsigned bytes, 2 dimensions (4x10)"),
        (0xc02, &[4, 2], "32-bit integers, 2 dimensions (4x2)"),
    ] {
        let files = [(TRAIN, idx_images(4)), (LABELS, idx_of(magic, dims, 40))];
        open_fails(&files, &[LABELS, "holds", words, "labels are unsigned bytes or integers"]);
    }
}

const LABELS: &str = "train-labels-idx1-ubyte";

#[test]
fn idx_labels_may_be_integers() {
    let labelled = |name, bytes| folder_of(&[(TRAIN, idx_images(3)), (name, bytes)]);
    let integers = [0xc01_u32, 3, 2, 0, 1].map(u32::to_be_bytes).concat();
    let shorts = [&idx_of(0xb01, &[3], 0)[..], &[0, 2, 0, 0, 0, 1]].concat();
    // QMNIST's rows of eight: the class, then who wrote the digit and where it was.
    let rows = (0..3).flat_map(|row| [(row + 2) % 3, 9, 9, 9, 9, 9, 9, 9]);
    let rows: Vec<u8> = rows.flat_map(u32::to_be_bytes).collect();
    let qmnist = [&idx_of(0xc02, &[3, 8], 0)[..], &rows].concat();
    for (name, bytes) in
        [(LABELS, integers), (LABELS, shorts), ("train-labels-idx2-int.gz", gz(&qmnist))]
    {
        let data = open(&labelled(name, bytes));
        assert_eq!(labels(&data.train), Some((vec!["0", "1", "2"], &[2, 0, 1][..])), "{name}");
    }
    let negative = [0xc01, 3, 2, u32::MAX, 1].map(u32::to_be_bytes).concat();
    let error = Dataset::open(labelled(LABELS, negative).path());
    fails(error, &[LABELS, "holds the label -1"]);
}

#[test]
fn idx_is_found_under_the_names_that_people_have() {
    let test_labels = || idx_of(0x801, &[2], 2);
    for names in [
        ["emnist-digits-train-images-idx3-ubyte", "emnist-digits-test-images-idx3-ubyte"],
        ["train-images.idx3-ubyte", "test-images.idx3-ubyte"],
        ["qmnist-train-images-idx3-ubyte", "qmnist-test-images-idx3-ubyte"],
        ["Train-Images-IDX3-UBYTE", "T10K-IMAGES-IDX3-UBYTE"],
        ["train_images-idx3-ubyte", "test_images-idx3-ubyte"],
        ["MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/t10k-images-idx3-ubyte"],
        ["a/train-images-idx3-ubyte/train-images-idx3-ubyte", "a/t10k-images-idx3-ubyte"],
        [
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
            "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte",
        ],
    ] {
        for end in ["", ".gz"] {
            let bytes = |bytes: Vec<u8>| if end.is_empty() { bytes } else { gz(&bytes) };
            let [train_name, test_name] = names.map(|name| format!("{name}{end}"));
            let label_name = test_name.replace("images", "labels").replace("IMAGES", "LABELS");
            let dir = folder_of(&[
                (&train_name, bytes(idx_images(4))),
                (&test_name, bytes(idx_images(2))),
                (&label_name, bytes(test_labels())),
                ("._train-images-idx3-ubyte", vec![1; 8]),
            ]);
            let data = open(&dir);
            assert_eq!((data.train.len(), test(&data).len()), (4, 2), "{train_name}");
            let wanted = (vec!["0", "1"], &[0, 1][..]);
            assert_eq!(labels(data.test.as_ref().unwrap()), Some(wanted), "{label_name}");
        }
    }
}

#[test]
fn idx_sets_in_one_folder_are_told_apart_by_a_file() {
    let name = |set: &str, split: &str| format!("emnist-{set}-{split}-images-idx3-ubyte");
    let names = ["digits", "letters"].map(|set| ["train", "test"].map(|split| name(set, split)));
    let files = names.iter().enumerate().flat_map(|(set, names)| {
        let count = 4 + set as u32;
        [(&*names[0], idx_images(count)), (&*names[1], idx_images(count))]
    });
    let dir = folder_of(&files.collect::<Vec<_>>());
    let example = dir.path().join(&names[0][0]);
    let parts = ["several datasets: emnist-digits, emnist-letters", example.to_str().unwrap()];
    fails(Dataset::open(dir.path()), &parts);
    for (set, names) in names.iter().enumerate() {
        for file in names {
            let data = Dataset::open(dir.path().join(file)).unwrap();
            assert_eq!((data.train.len(), test(&data).len()), (4 + set, 4 + set), "{file}");
            assert_eq!(data.name, ["emnist-digits", "emnist-letters"][set]);
        }
    }

    let raw = folder_of(&[
        ("MNIST/raw/train-images-idx3-ubyte", idx_images(4)),
        ("FashionMNIST/raw/train-images-idx3-ubyte", idx_images(4)),
    ]);
    fails(Dataset::open(raw.path()), &["several datasets: FashionMNIST/raw, MNIST/raw; name one"]);
    let data = Dataset::open(raw.path().join("MNIST/raw/train-images-idx3-ubyte")).unwrap();
    assert_eq!((data.train.len(), &*data.name), (4, "raw"));
}

#[test]
fn idx_files_that_claim_one_split_twice_fail() {
    let files = [(TRAIN, idx_images(4)), (TEST, idx_images(2))];
    let other = ("test-images-idx3-ubyte", idx_images(3));
    let files = [&files[..], &[other]].concat();
    open_fails(&files, &[TEST, "test-images-idx3-ubyte", "both would be the test split"]);
}

#[test]
fn idx_below_a_folder_of_images_is_left_alone() {
    let files = [("raw/train-images-idx3-ubyte", idx_images(4)), ("train/a.png", grey(8, 8, 1))];
    assert_eq!(open(&folder_of(&files)).shape().unwrap(), shape(8, 8, 1));
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let archive = "train-images-idx3-ubyte.zip";
    for (name, parts) in [
        (archive, &["is an archive: unpack it"][..]),
        ("images.tar.gz", &["is an archive: unpack it"]),
        ("cifar-10-batches-bin/data_batch_1.bin", &["a binary batch as CIFAR's", "PNG"]),
        ("cifar-10-batches-py/data_batch_1", &["a Python pickle as CIFAR's"]),
        ("mnist.npz", &["NumPy arrays"]),
        ("mnist_train.csv", &["a table of text"]),
        ("0000.parquet", &["columnar table"]),
        ("train.idx3-ubyte", &["whose name says no \"images\"", "train-images-idx3-ubyte"]),
        ("emnist.gz", &["gzipped"]),
    ] {
        let dir = folder_of(&[(name, vec![80, 75, 5, 6]), ("readme.txt", vec![65])]);
        let parts = [&["holds no images that can be read", name][..], parts].concat();
        fails(Dataset::open(dir.path()), &parts);
        let file = dir.path().join(name);
        fails(Dataset::open(&file), &[name, "is not read"]);
    }
    // Missing parts of a dataset that is read otherwise.
    let test = "t10k-images-idx3-ubyte.zip";
    open_fails(&[(TRAIN, idx_images(4)), (test, vec![0])], &[test, "is an archive; unpack it"]);
    let labels = "train-labels-idx1-ubyte.zip";
    open_fails(&[(TRAIN, idx_images(4)), (labels, vec![0])], &[labels, "is an archive"]);
    // Archives beside what was unpacked from them do no harm.
    assert_eq!(open(&folder_of(&[(TRAIN, idx_images(4)), (archive, vec![0])])).train.len(), 4);
}

#[test]
fn idx_of_the_wrong_length_fails() {
    let whole = idx_images(4);
    for cut in [0, 3, 4, 15] {
        let parts = [TRAIN, "is truncated", "download it again"];
        open_fails(&[(TRAIN, whole[..cut].to_vec())], &parts);
    }
    let parts = [TRAIN, "is truncated", "4 images of 2x3, 24 bytes, but 23 follow"];
    open_fails(&[(TRAIN, whole[..39].to_vec())], &parts);
    open_fails(&[(TRAIN, gz(&whole[..39]))], &parts);
    let long = [&whole[..], &[0]].concat();
    let parts = [TRAIN, "extra bytes at its end", "24 bytes"];
    open_fails(&[(TRAIN, long.clone())], &parts);
    open_fails(&[(TRAIN, gz(&long))], &parts);
}

#[test]
fn idx_with_a_giant_claim_fails_without_allocating() {
    for dims in [[u32::MAX; 3], [1 << 31, 1 << 31, 4], [1_000_000, 1000, 1000]] {
        let bytes = idx_of(0x803, &dims, 10);
        open_fails(&[(TRAIN, bytes.clone())], &[TRAIN, "is truncated", "but 10 follow"]);
        open_fails(&[(TRAIN, gz(&bytes))], &[TRAIN, "is truncated", "but 10 follow"]);
    }
}

#[test]
fn idx_that_holds_nothing_fails() {
    for dims in [[0, 3, 2], [4, 0, 2], [4, 3, 0]] {
        open_fails(&[(TRAIN, idx_of(0x803, &dims, 0))], &[TRAIN, "holds none"]);
    }
}

#[test]
fn idx_with_broken_gzip_fails() {
    let whole = gz(&idx_images(4));
    let mut corrupt = whole.clone();
    let crc = corrupt.len() - 8;
    corrupt[crc] ^= 1;
    let cut = |length| whole[..length].to_vec();
    for bytes in [cut(5), cut(20), cut(whole.len() - 3), corrupt] {
        open_fails(
            &[("train-images-idx3-ubyte.gz", bytes)],
            &[TRAIN, ".gz: is truncated or corrupt"],
        );
    }
}

#[test]
fn idx_of_images_that_are_too_long_fails() {
    let bytes = idx_of(0x803, &[1, 70_000, 1], 70_000);
    open_fails(
        &[(TRAIN, bytes)],
        &[TRAIN, "holds images of 1x70000x1 (width x height x channels): no such shape can be"],
    );
}

#[test]
fn idx_splits_must_be_of_one_size() {
    let other = idx_of(0x803, &[1, 2, 2], 4);
    let parts = [TEST, "images of 2x2", TRAIN, "images of 2x3"];
    open_fails(&[(TRAIN, idx_images(4)), (TEST, other)], &parts);
}

#[test]
fn idx_test_split_is_checked_too() {
    open_fails(
        &[(TRAIN, idx_images(4)), (TEST, idx_images(2)[..20].to_vec())],
        &[TEST, "is truncated"],
    );
}

#[test]
fn idx_takes_no_options_but_those_it_fulfils() {
    let dir = folder_of(&[(TRAIN, idx_images(4))]);
    let agreeing = ReadOptions { size: Some((2, 3)), channels: Some(1), ..ReadOptions::default() };
    assert_eq!(read(&dir, agreeing).unwrap().train.len(), 4);
    usage_fails(&dir, sized(3, 2), &["size = 3x2", "folders of image files", "leave it out"]);
    usage_fails(&dir, channels(3), &["channels = 3", "folders of image files", "2x3"]);
}
