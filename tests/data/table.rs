//! Tables of a caller's arrays.

use super::*;

/// A table of two images, 1×2 pixels each.
fn two_images() -> Table {
    Table::new().with("image", Column::images([1, 2, 1], &[1, 2, 3, 4])).unwrap()
}

#[test]
fn columns_of_every_kind_are_kept_and_selected() {
    let table = two_images()
        .with("pose", Column::floats(&[3], vec![0.0, 0.5, f32::INFINITY, 1.0, -1.5, 2.0]))
        .and_then(|table| table.with("size", Column::floats(&[], &[7.0, 8.0])))
        .and_then(|table| table.with("label", Column::classes(["cat", "dog"], &[1, 0])))
        .and_then(|table| table.with("words", Column::counts(&[2, 1], &[9, 0, 1, 4])))
        .unwrap();
    assert_eq!(table.len(), 2);
    let shown: Vec<_> = table.columns().map(|(name, column)| format!("{name}: {column}")).collect();
    assert_eq!(
        shown,
        [
            "image: images of 1x2x1",
            "pose: floats of shape [3]",
            "size: floats of shape []",
            "label: 2 classes",
            "words: counts of shape [2, 1]"
        ]
    );
    let other = table.select(&[1, 0, 1]);
    assert_eq!(other.len(), 3);
    assert_eq!(other.images().unwrap().pixels, [3, 4, 1, 2, 3, 4]);
    assert_eq!(other.column("size"), Some(&Column::floats(&[], &[8.0, 7.0, 8.0])));
    assert_eq!(labels(&other), Some((vec!["cat", "dog"], &[0, 1, 0][..])));
    assert_eq!(other.column("words"), Some(&Column::counts(&[2, 1], &[1, 4, 9, 0, 1, 4])));
    let Some(Column::Floats { values, .. }) = other.column("pose") else { panic!("no pose") };
    assert_eq!(values[..3], [1.0, -1.5, 2.0]);
    assert_eq!(other.column("absent"), None);
}

#[test]
fn columns_of_other_lengths_fail() {
    let fails = |column: Column, found: usize| {
        let lengths = format!("has length {found}, but column image has length 2");
        fails(two_images().with("mine", column), &["column mine: ", &lengths]);
    };
    fails(Column::images([1, 1, 1], &[1, 2, 3]), 3);
    fails(Column::floats(&[2], &[1.0, 2.0]), 1);
    fails(Column::classes(["a"], &[0, 0, 0]), 3);
    fails(Column::counts(&[], vec![]), 0);
}

#[test]
fn values_that_are_no_whole_number_of_rows_fail() {
    let fails = |column: Column, parts: &[&str]| {
        let error = fails(Table::new().with("mine", column), &[&["column mine: "], parts].concat());
        assert!(matches!(error, Error::Column { .. }));
    };
    fails(Column::images([3, 2, 2], &[0; 13]), &["13 bytes", "images of 2x2x3", "take 12 each"]);
    fails(Column::floats(&[2, 3], &[0.0; 7]), &["7 floats", "shape [2, 3]", "take 6 each"]);
    fails(Column::counts(&[2], &[0; 3]), &["3 counts", "shape [2]", "take 2 each"]);
}

#[test]
fn shapes_that_cannot_be_fail() {
    let fails = |column: Column, parts: &[&str]| {
        fails(Table::new().with("mine", column), &[&["column mine: "], parts].concat());
    };
    for shape in [[0, 2, 2], [2, 2, 2], [1, 0, 2], [1, 2, 0], [3, usize::MAX, usize::MAX]] {
        fails(Column::images(shape, &[]), &["no such shape can be"]);
    }
    fails(Column::floats(&[2, 0], &[]), &["floats of shape [2, 0]: no such shape can be"]);
    fails(Column::counts(&[usize::MAX, 2], &[1]), &["counts of shape", "no such shape can be"]);
}

#[test]
fn classes_must_have_names_of_their_own() {
    let table = |names: &[&str], indices: &[u32]| {
        Table::new().with("mine", Column::classes(names.iter().copied(), indices))
    };
    fails(
        table(&["a", "b"], &[0, 1, 2]),
        &["column mine: row 2 is of class 2, but there are names for 2 classes only"],
    );
    fails(table(&[], &[7]), &["column mine: row 0 is of class 7, but there are names for 0"]);
    fails(table(&["b", "a", "b"], &[0]), &["column mine: two classes are called \"b\""]);
    assert_eq!(table(&[], &[]).unwrap().len(), 0);
}

#[test]
fn a_name_is_taken_once() {
    let column = Column::floats(&[], &[1.0, 2.0]);
    fails(two_images().with("image", column), &["column image: there is one already"]);
}

#[test]
fn a_table_without_images_says_what_it_has() {
    let table = Table::new().with("pose", Column::floats(&[3], &[0.0; 6])).unwrap();
    let parts = ["no column holds images", "pose: floats of shape [3]"];
    fails(table.images(), &parts);
    let data = Dataset::new("poses", table, None).unwrap();
    fails(data.shape(), &parts);
    fails(data.train.into_images(), &parts);
    fails(Table::new().images(), &["no column holds images", "the columns are none"]);
}

#[test]
fn images_are_made_of_bytes_and_a_shape() {
    let pixels: Vec<u8> = (0..12).collect();
    let images = Images::new([3, 2, 1], &pixels).unwrap();
    assert_eq!((images.shape, images.len()), (shape(1, 2, 3), 2));
    assert_eq!(images, Images::new(shape(1, 2, 3), pixels).unwrap());
    fails(Images::new([3, 2, 1], &[0; 11]), &["11 bytes", "images of 1x2x3", "take 6 each"]);
    fails(
        Images::new([4, 2, 1], &[0; 8]),
        &["images of 1x2x4 (width x height x channels): no such shape can be"],
    );
    // Whatever is written into the fields must not bring the program down.
    assert_eq!(Images { shape: shape(0, 1, 1), pixels: vec![1] }.len(), 0);
}

#[test]
fn splits_must_have_rows_and_the_same_columns() {
    let empty = Table::new();
    fails(Dataset::new("mine", empty.clone(), None), &["the training split of mine has no rows"]);
    fails(Dataset::new("mine", two_images(), Some(empty)), &["the test split of mine has no rows"]);
    let pairs = [
        (
            Column::floats(&[1], &[1.0]),
            Column::floats(&[], &[1.0]),
            ["shape [1] in", "shape [] in"],
        ),
        (Column::floats(&[], &[1.0]), Column::counts(&[], &[1]), ["floats of", "counts of"]),
        (Column::classes(["a"], &[0]), Column::classes(["a", "b"], &[0]), ["1 class", "2 classes"]),
        (
            Column::classes(["a", "b"], &[0]),
            Column::classes(["a", "c"], &[0]),
            ["\"b\" as class 1", "\"c\" as class 1"],
        ),
        (
            Column::images([1, 1, 1], &[0]),
            Column::images([3, 1, 1], &[0; 3]),
            ["images of 1x1x1", "images of 1x1x3"],
        ),
    ];
    for (train, test, [in_train, in_test]) in pairs {
        let table = |column| Table::new().with("mine", column).unwrap();
        let data = Dataset::new("set", table(train), Some(table(test)));
        fails(data, &["column mine: has", in_train, in_test, "training split of set"]);
    }
    // What only one split has is nothing to disagree about.
    let labelled = two_images().with("label", Column::classes(["a"], &[0, 0])).unwrap();
    Dataset::new("mine", labelled, Some(two_images())).unwrap();
}
