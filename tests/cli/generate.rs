//! What a trained model is good for: samples, reconstructions, losses.

use super::train::metrics;
use super::*;
use crate::common::tensor_file::changed;

/// A place with a trained run in it.
fn place_with_run(more: &[&str]) -> Option<Place> {
    let place = place_with_adapter()?;
    place.train("run", more);
    Some(place)
}

/// The losses that `evaluate --json` prints.
fn losses(place: &Place, args: &[&str]) -> [f64; 3] {
    let printed = place.ok(&[&["evaluate", "run", "--json"], args].concat());
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    ["loss", "recon", "kl"].map(|key| json[key].as_f64().unwrap())
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * a.abs(), "{a} is not {b}");
}

#[test]
fn sampling_needs_no_dataset() {
    let Some(place) = place_with_run(&[]) else { return };
    fs::remove_dir_all(place.path("idx")).unwrap();
    assert_eq!(place.ok(&["sample", "run"]), "wrote samples.png\n");
    assert_eq!(png_size(place.path("samples.png")), (82, 82));
    place.ok(&["sample", "run", "--count", "7", "--out", "seven.PNG"]);
    assert_eq!(png_size(place.path("seven.PNG")), (32, 32));
    // The older picture stays.
    assert_eq!(place.ok(&["sample", "run", "--count", "1"]), "wrote samples-2.png\n");
    assert_eq!(png_size(place.path("samples-2.png")), (12, 12));
    assert_eq!(png_size(place.path("samples.png")), (82, 82));
    assert_eq!(place.ok(&["sample", "run", "--overwrite", "--count", "1"]), "wrote samples.png\n");
    assert_eq!(png_size(place.path("samples.png")), (12, 12));
}

#[test]
fn a_seed_decides_the_samples() {
    let Some(place) = place_with_run(&[]) else { return };
    for (seed, out) in [("1", "a.png"), ("1", "b.png"), ("2", "c.png")] {
        place.ok(&["sample", "run", "--seed", seed, "--out", out]);
    }
    assert!(place.read("a.png") == place.read("b.png"));
    assert!(place.read("a.png") != place.read("c.png"));
}

#[test]
fn reconstructions_stand_below_their_originals() {
    let Some(place) = place_with_run(&[]) else { return };
    let printed = place.ok(&["reconstruct", "run"]);
    let rows = "  rows, repeating: image, reconstruction\n";
    assert_eq!(
        printed,
        format!("wrote reconstructions.png\n  16 images of the test split\n{rows}")
    );
    let path = place.path("reconstructions.png");
    assert_eq!(png_size(&path), (102, 42));
    assert_eq!(shown(&place, &path, 16).len(), 16);
    // No more than there are, which is said.
    let args = ["reconstruct", "run", "--count", "9999", "--out", "all.png"];
    let printed = place.ok(&args);
    let said = "  32 images of the test split (9999 asked for, no more there)\n";
    assert!(printed.contains(said), "{printed}");
    assert_eq!(png_size(place.path("all.png")), (102, 82));
    assert_eq!(shown(&place, &place.path("all.png"), 32), (0..32).collect::<Vec<_>>());
    place.ok(&["reconstruct", "run", "--count", "1", "--out", "one.png"]);
    assert_eq!(png_size(place.path("one.png")), (12, 22));
}

#[test]
fn evaluation_agrees_with_the_last_line_of_the_metrics() {
    let Some(place) = place_with_run(&[]) else { return };
    let last = &metrics(&place, "run")[1];
    for (loss, key) in losses(&place, &[]).into_iter().zip(["test_loss", "test_recon", "test_kl"]) {
        near(loss, last[key].as_f64().unwrap());
    }
    let printed = place.ok(&["evaluate", "run"]);
    let loss = format!("{:.4}", last["test_loss"].as_f64().unwrap());
    assert!(printed.contains("32  test split") && printed.contains(&loss), "{printed}");
    assert!(printed.contains("nats per image"), "{printed}");
}

#[test]
fn held_out_images_are_the_test_split() {
    let Some(place) = place_with_adapter() else { return };
    fs::remove_file(place.path("idx/t10k-images-idx3-ubyte")).unwrap();
    place.train("run", &["--hold-out", "0.25"]);
    near(losses(&place, &[])[0], metrics(&place, "run")[1]["test_loss"].as_f64().unwrap());
    assert!(place.ok(&["evaluate", "run"]).contains("16  test split"));
    place.train("run", &["--overwrite"]);
    let printed = place.ok(&["evaluate", "run"]);
    assert!(printed.contains("64  all images, for want of a test split"), "{printed}");
}

#[test]
fn the_mean_of_the_posterior_reconstructs_better() {
    let Some(place) = place_with_run(&["--epochs", "20", "--lr", "0.01"]) else { return };
    let ([_, noisy, noisy_kl], [_, mean, mean_kl]) =
        (losses(&place, &[]), losses(&place, &["--mean"]));
    assert!(mean < noisy, "{mean} against {noisy}");
    near(mean_kl, noisy_kl);
}

#[test]
fn a_run_folder_can_be_moved() {
    let Some(place) = place_with_run(&[]) else { return };
    let before = place.ok(&["evaluate", "run"]);
    fs::rename(place.path("run"), place.path("moved")).unwrap();
    assert_eq!(before, place.ok(&["evaluate", "moved"]));
}

/// How a run's dataset was read and split is nothing to another one.
#[test]
fn another_dataset_is_evaluated_whole() {
    let Some(place) = place_with_adapter() else { return };
    for i in 0..10 {
        place.write(&format!("large/{i}.png"), png(16, 16, 20 * i));
        place.write(&format!("small/{i}.png"), png(8, 8, 20 * i));
    }
    let data = ["--data", "large", "--size", "8x8", "--hold-out", "0.4", "--batch-size", "2"];
    place.train("run", &data);
    assert!(place.ok(&["evaluate", "run"]).contains("4  test split"));
    assert!(place.ok(&["evaluate", "run", "--data", "large"]).contains("4  test split"));
    assert!(place.ok(&["evaluate", "run", "--data", "small"]).contains("10  all images"));
    place.fails(&["evaluate", "run", "--data", "digits"], 2, &["takes images of 8x8x1", "28x28x1"]);
}

/// Which images of the test split the picture at `path` shows, of which there are `count` in rows of ten,
/// each row above its reconstructions.
fn shown(place: &Place, path: &Path, count: u32) -> Vec<usize> {
    let picture = image::open(path).unwrap().into_luma8();
    let test = place.read("idx/t10k-images-idx3-ubyte");
    let image = |i: u32| -> Vec<u8> {
        let (left, top) = (2 + i % 10 * 10, 2 + i / 10 * 20);
        (0..64).map(|at| picture.get_pixel(left + at % 8, top + at / 8).0[0]).collect()
    };
    let number = |pixels: Vec<u8>| test[16..].chunks(64).position(|other| other == pixels);
    (0..count).map(|i| number(image(i)).expect("an image of the split")).collect()
}

/// Splits are often in the order of their classes.
#[test]
fn reconstructions_are_spread_over_the_split() {
    let Some(place) = place_with_adapter() else { return };
    place.write("idx/t10k-images-idx3-ubyte", idx(1000, 8, 8));
    place.train("run", &["--epochs", "1"]);
    place.ok(&["reconstruct", "run", "--count", "10", "--out", "some.png"]);
    for (path, count) in [("some.png", 10), ("run/reconstructions.png", 50)] {
        let numbers = shown(&place, &place.path(path), count);
        for (part, number) in numbers.iter().enumerate() {
            assert_eq!(number * count as usize / 1000, part, "{numbers:?}");
        }
        // Nor do they follow a rhythm, as classes that take turns do.
        let steps: std::collections::BTreeSet<_> = numbers.iter().map(|n| n % 10).collect();
        assert!(steps.len() > 2, "{numbers:?}");
    }
}

#[test]
fn a_picture_makes_its_folder_and_replaces_nothing_unasked() {
    let Some(place) = place_with_run(&[]) else { return };
    for command in ["sample", "reconstruct"] {
        let out = format!("{command}/b/c.png");
        let args = [command, "run", "--count", "2", "--out", &out];
        assert!(place.ok(&args).starts_with(&format!("wrote {out}\n")));
        assert_eq!(names(place.path(command).join("b")), ["c.png"]);
        let message = format!("{out}: is there already; --overwrite it or choose another --out");
        place.fails(&args, 1, &[&message]);
        place.write(&out, "other");
        place.fails(&args, 1, &[&message]);
        for force in ["--overwrite", "--force"] {
            place.write(&out, "other");
            place.ok(&[&args[..], &[force]].concat());
            assert_eq!(png_size(place.path(&out)).0, 22);
        }
    }
    // A command that fails makes no folder.
    let args = ["reconstruct", "run", "--data", "digits", "--out", "new/deep/a.png"];
    place.fails(&args, 2, &["takes images of 8x8x1"]);
}

/// Image i is the same whatever the count, and however many lie in memory together.
#[test]
fn many_images_begin_as_few_do() {
    let Some(place) = place_with_run(&[]) else { return };
    let first = |count: &str| {
        let out = format!("{count}.png");
        place.ok(&["sample", "run", "--draw", "--count", count, "--out", &out]);
        let picture = image::open(place.path(out)).unwrap().into_luma8();
        (0..64).map(|at| picture.get_pixel(12 + at % 8, 2 + at / 8).0[0]).collect::<Vec<_>>()
    };
    assert_eq!(first("4"), first("3000"));
}

/// A run of an epoch of four steps, by the counters of its checkpoint: step, epochs, and images of the next.
#[test]
fn a_model_that_has_not_seen_every_image_is_told_of() {
    let Some(place) = place_with_run(&["--epochs", "1"]) else { return };
    let checkpoint = place.read("run/checkpoint.safetensors");
    for (state, told) in [
        ([0u32, 0, 0, 64], "has not been trained yet"),
        ([3, 0, 48, 64], "has been trained for 3 steps only, less than one epoch"),
        // It was stopped in the evaluation after them.
        ([4, 0, 64, 64], ""),
        ([4, 1, 0, 64], ""),
    ] {
        let bytes = changed(&checkpoint, |_, tensors| {
            let (_, _, bytes) = tensors.get_mut("state").unwrap();
            bytes.copy_from_slice(bytemuck::cast_slice(&state));
        });
        place.write("run/checkpoint.safetensors", bytes);
        let sampled = place.run(&["sample", "run", "--overwrite"]);
        let note = format!("note: run: the model {told}\n");
        let expected = if told.is_empty() { "" } else { &note };
        assert_eq!((sampled.code, sampled.stderr.as_str()), (Some(0), expected), "{state:?}");
    }
}
