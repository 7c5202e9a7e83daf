//! Names of folders and files that mean something.

use std::path::Path;

/// The part of a dataset that a folder holds by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Train,
    Validation,
    Test,
}

const PARTS: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training"]),
    (Part::Validation, &["val", "valid", "validation", "validate"]),
    (Part::Test, &["test", "testing"]),
];

/// Names that mean validation only beside a training split, since they may be those of a class.
const BESIDE_TRAINING: [&str; 4] = ["dev", "eval", "evaluation", "holdout"];

/// What follows the name of a part in that of a folder, or precedes it, as in `test_images` and `images_test`.
const FILLERS: [&str; 7] = ["set", "images", "imgs", "image", "img", "data", "split"];

/// The part that a folder of this name holds, and whether it does so only beside a training split.
pub fn part(name: &str) -> Option<(Part, bool)> {
    let words = name.to_lowercase().replace(['-', '_', ' ', '.'], "");
    // A year, as in COCO's `val2017`.
    let word = match words.split_at_checked(words.len().saturating_sub(4)) {
        Some((word, year)) if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) => word,
        _ => &words,
    };
    let before = FILLERS.iter().find_map(|filler| word.strip_suffix(filler));
    let behind = FILLERS.iter().find_map(|filler| word.strip_prefix(filler));
    let is = |name: &&str| [Some(word), before, behind].contains(&Some(*name));
    let known = PARTS.iter().find(|(_, names)| names.iter().any(is));
    match known {
        Some((part, _)) => Some((*part, false)),
        None => BESIDE_TRAINING.iter().any(is).then_some((Part::Validation, true)),
    }
}

/// Whether one word in the name of a folder stands for images that are not to be trained on, as in `x_test`
/// and `testA`.
pub fn is_like_test(name: &str) -> bool {
    let mut word = String::new();
    // A word ends before a capital, and at what is no letter.
    for letter in name.chars().chain([' ']) {
        let ends = !letter.is_alphabetic()
            || letter.is_uppercase() && word.ends_with(|last: char| last.is_lowercase());
        if ends {
            let lower = word.to_lowercase();
            let is = |(part, names): &(Part, &[&str])| {
                *part != Part::Train && names.contains(&lower.as_str())
            };
            if PARTS.iter().any(is) {
                return true;
            }
            word.clear();
        }
        if letter.is_alphabetic() {
            word.push(letter);
        }
    }
    false
}

/// Folders in lower case that programs make beside images: previews, recycle bins, what archives and file
/// systems add.
const SYSTEM_FOLDERS: [&str; 14] = [
    "@eadir",
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "__macosx",
    "__pycache__",
    "lost+found",
    "thumbs",
    "thumbnails",
];

/// Files in lower case that programs make beside images.
const SYSTEM_FILES: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];

/// Whether a file or folder was made by a program, for itself, or is hidden.
pub fn is_system(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_lowercase();
    name.starts_with('.')
        || SYSTEM_FILES.contains(&name.as_str())
        || SYSTEM_FOLDERS.contains(&name.as_str())
}

/// Extensions in lower case of the files that are read.
const EXTENSIONS: [&str; 29] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "webp", "gif",
    "bmp", "dib", "tif", "tiff", "tga", "icb", "vda", "vst", "qoi", "pnm", "pbm", "pgm", "ppm",
    "pam", "ff", "dds", "ico",
];

/// The extension of a file in lower case.
pub fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}

/// Whether a file is taken for an image by its name.
pub fn is_image(path: &Path) -> bool {
    extension(path).is_some_and(|found| EXTENSIONS.contains(&found.as_str()))
}
