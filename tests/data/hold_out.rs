//! Holding out a validation split.

use std::collections::HashSet;

use super::*;

/// Images of one pixel each, 0 to `count`.
fn numbered(count: u32) -> Dataset {
    let bytes = idx_of(0x803, &[count, 1, 1], count as usize);
    open(&folder_of(&[(TRAIN, bytes)]))
}

fn held_out(count: u32, fraction: f64, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let data = numbered(count).hold_out(fraction, seed).unwrap();
    (data.train.pixels, data.test.unwrap().pixels)
}

#[test]
fn hold_out_splits_without_overlap() {
    let (train, test) = held_out(100, 0.2, 1);
    assert_eq!((train.len(), test.len()), (80, 20));
    let all: HashSet<u8> = train.iter().chain(&test).copied().collect();
    assert_eq!(all.len(), 100);
    assert!(train.is_sorted() && test.is_sorted());
}

#[test]
fn hold_out_depends_on_the_seed_alone() {
    assert_eq!(held_out(100, 0.2, 1), held_out(100, 0.2, 1));
    assert_ne!(held_out(100, 0.2, 1), held_out(100, 0.2, 2));
}

#[test]
fn hold_out_leaves_an_image_on_either_side() {
    for (fraction, held) in [(0.001, 1), (0.999, 2)] {
        let (train, test) = held_out(3, fraction, 1);
        assert_eq!((train.len(), test.len()), (3 - held, held));
    }
}

#[test]
fn hold_out_rejects_what_it_cannot_do() {
    for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
        let error = fails(numbered(9).hold_out(fraction, 1), &["--validation", "between 0 and 1"]);
        assert_eq!(error.exit_code(), 2);
    }
    fails(numbered(1).hold_out(0.5, 1), &["--validation", "at least two images"]);
    let split = numbered(9).hold_out(0.5, 1).unwrap();
    fails(split.hold_out(0.5, 1), &["--validation", "has a test split already"]);
}
