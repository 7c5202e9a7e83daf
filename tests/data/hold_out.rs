//! Holding out a test split.

use std::collections::HashSet;

use super::*;

/// Images of one pixel each, 0 to `count`.
fn numbered(count: u32) -> Dataset {
    let bytes = idx_of(0x803, &[count, 1, 1], count as usize);
    open(&folder_of(&[(TRAIN, bytes)]))
}

fn held_out(count: u32, fraction: f64, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let data = numbered(count).hold_out(fraction, seed).unwrap();
    (train(&data).pixels.clone(), test(&data).pixels.clone())
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
fn hold_out_keeps_the_columns_of_a_row_together() {
    let pixels: Vec<u8> = (0..50).collect();
    let halves: Vec<f32> = (0..50).flat_map(|row| [row as f32, row as f32 + 0.5]).collect();
    let rows: Vec<u32> = (0..50).collect();
    let table = Table::new()
        .with("image", Column::images([1, 1, 1], &pixels))
        .and_then(|table| table.with("halves", Column::floats(&[2], &halves)))
        .and_then(|table| table.with("row", Column::counts(&[], &rows)))
        .and_then(|table| {
            let classes = Column::classes((0..50).map(|class| format!("class {class}")), &rows);
            table.with("label", classes)
        });
    let data = Dataset::new("rows", table.unwrap(), None).unwrap().hold_out(0.3, 5).unwrap();
    for (split, count) in [(&data.train, 35), (data.test.as_ref().unwrap(), 15)] {
        let rows: Vec<u32> = split.images().unwrap().pixels.iter().map(|&p| p.into()).collect();
        assert_eq!((split.len(), rows.len()), (count, count));
        let halves = rows.iter().flat_map(|&row| [row as f32, row as f32 + 0.5]);
        assert_eq!(split.column("halves"), Some(&Column::floats(&[2], halves.collect::<Vec<_>>())));
        assert_eq!(split.column("row"), Some(&Column::counts(&[], &rows)));
        let (names, indices) = labels(split).unwrap();
        assert_eq!((names.len(), indices), (50, &rows[..]));
    }
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
        let error = fails(numbered(9).hold_out(fraction, 1), &["between 0 and 1"]);
        assert!(matches!(error, Error::Config { key, .. } if key == "hold_out"));
    }
    fails(numbered(1).hold_out(0.5, 1), &["hold_out = 0.5: ", "at least two images"]);
    let split = numbered(9).hold_out(0.5, 1).unwrap();
    fails(split.hold_out(0.5, 1), &["hold_out = 0.5: ", "has a test split already"]);
}
