//! JPEG files in every coding, against what libjpeg-turbo makes of them: `jpegs/make.py` made both.

use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpegs")
}

fn stored(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// The largest difference of the file `bytes` to the picture `reference`, or why it is refused.
fn difference(bytes: Vec<u8>, reference: &str) -> Result<u8, String> {
    let read = |name, bytes| Dataset::open(folder_of(&[(name, bytes)]).path());
    let expected = read("a.png", stored(reference)).unwrap();
    let found = read("a.jpg", bytes).map_err(|error| error.to_string())?;
    assert_eq!(found.shape().unwrap(), expected.shape().unwrap());
    let pairs = train(&found).pixels.iter().zip(&train(&expected).pixels);
    Ok(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap())
}

#[test]
fn every_coding_is_read_as_libjpeg_does_or_refused() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 34);
    let mut refused = Vec::new();
    for name in &names {
        let (sampling, _) = name.rsplit_once('-').unwrap();
        match difference(stored(name), &format!("{sampling}.png")) {
            Ok(difference) => assert!(difference <= 2, "{name} is off by {difference}"),
            Err(error) => {
                assert!(error.contains("a.jpg: cannot be decoded ("), "{name}: {error}");
                refused.push(name.trim_end_matches(".jpg"));
            }
        }
    }
    // Codings that hardly anything writes.
    let odd =
        ["base", "progressive", "restarts", "scans"].map(|coding| format!("1x1-2x2-2x2-{coding}"));
    assert_eq!(refused, [&odd.each_ref().map(String::as_str)[..], &["2x2-pairs"]].concat());
}

#[test]
fn a_progressive_jpeg_without_its_last_scans_fails() {
    let whole = stored("2x2-progressive.jpg");
    let scans: Vec<usize> =
        (0..whole.len() - 1).filter(|&at| whole[at..at + 2] == [0xff, 0xda]).collect();
    for scan in &scans[1..] {
        let cut = [&whole[..*scan], &[0xff, 0xd9]].concat();
        let error = difference(cut, "2x2.png").unwrap_err();
        assert!(error.contains("a.jpg") && error.contains("scans are missing"), "{error}");
    }
    let base = stored("2x2-base.jpg");
    let cut = [&base[..base.len() * 4 / 5], &[0xff, 0xd9]].concat();
    let error = difference(cut, "2x2.png").unwrap_err();
    assert!(error.contains("a.jpg") && error.contains("truncated"), "{error}");
}

#[test]
fn unusual_frames_are_refused_by_what_they_are() {
    let base = stored("2x2-base.jpg");
    let frame = base.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    for (at, value, part) in [
        (frame + 1, 0xc5, "cannot be decoded"),
        (frame + 4, 12, "12 bits a sample"),
        (frame + 11, 0x11, "sampled more coarsely"),
    ] {
        let mut bytes = base.clone();
        bytes[at] = value;
        if part.starts_with("sampled") {
            bytes[frame + 14] = 0x22;
        }
        let error = difference(bytes, "2x2.png").unwrap_err();
        assert!(error.contains("a.jpg") && error.contains(part), "{error}");
    }
    let mut flat = base.clone();
    flat[frame + 5..frame + 7].fill(0);
    assert!(difference(flat, "2x2.png").unwrap_err().contains("no size"));
}

/// Damage may show in the pixels, as with any decoder, but neither panics nor hangs.
#[test]
fn damaged_jpegs_are_read_or_named() {
    let mut word = 1u32;
    let mut next = |below: usize| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (word >> 8) as usize % below
    };
    let wholes = ["2x2-base.jpg", "2x2-progressive.jpg", "2x2-arithmetic.jpg", "cmyk-base.jpg"];
    let mut files = Vec::new();
    for i in 0..400 {
        let mut bytes = stored(wholes[i % wholes.len()]);
        for _ in 0..1 + i % 3 {
            let at = 2 + next(bytes.len() - 2);
            bytes[at] ^= 1 << next(8);
        }
        files.push((format!("{i:03}.jpg"), bytes));
    }
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let skip = ReadOptions { skip_bad: true, ..sized(19, 21) };
    let data = read(&folder_of(&files), skip).unwrap();
    let left = data.train.len();
    assert!((50..400).contains(&left), "{left} are read");
    assert!(notes(&data).iter().any(|note| note.starts_with(&format!("{} of 400", 400 - left))));
}
