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
}

#[test]
fn idx_test_without_train_fails() {
    open_fails(&[(TEST, idx_images(2))], &[TEST, "without its training file", TRAIN]);
}

#[test]
fn idx_of_the_wrong_kind_fails() {
    let labels = idx_of(0x801, &[4], 4);
    open_fails(&[(TRAIN, labels.clone())], &[TRAIN, "holds labels", "0x00000801"]);
    open_fails(&[(TRAIN, gz(&labels))], &[TRAIN, "holds labels"]);
    let floats = idx_of(0xd03, &[1, 3, 2], 24);
    open_fails(&[(TRAIN, floats)], &[TRAIN, "0x00000d03", "not 0x00000803"]);
    open_fails(&[(TRAIN, b"<html>404</html>".to_vec())], &[TRAIN, "no IDX file of images"]);
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
    let agreeing = ReadOptions { size: Some((2, 3)), channels: Some(1) };
    assert_eq!(read(&dir, agreeing).unwrap().train.len(), 4);
    usage_fails(&dir, sized(3, 2), &["size = 3x2", "folders of PNG/JPEG", "leave it out"]);
    usage_fails(&dir, channels(3), &["channels = 3", "folders of PNG/JPEG", "2x3"]);
}
