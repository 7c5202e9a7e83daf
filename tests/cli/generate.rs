//! What a trained model is good for: samples, reconstructions, losses.

use super::train::metrics;
use super::*;

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
    // The older picture is replaced.
    place.ok(&["sample", "run", "--count", "1"]);
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
    assert_eq!(place.ok(&["reconstruct", "run"]), "wrote reconstructions.png\n");
    assert_eq!(png_size(place.path("reconstructions.png")), (102, 42));
    let picture = image::open(place.path("reconstructions.png")).unwrap().into_luma8();
    let test = place.read("idx/t10k-images-idx3-ubyte");
    for (i, pixel) in test[16..16 + 64].iter().enumerate() {
        let at = (2 + i as u32 % 8, 2 + i as u32 / 8);
        assert_eq!(picture.get_pixel(at.0, at.1).0, [*pixel], "at {at:?}");
    }
    // No more than there are.
    place.ok(&["reconstruct", "run", "--count", "9999", "--out", "all.png"]);
    assert_eq!(png_size(place.path("all.png")), (102, 82));
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
