//! Models that are told the class, and bounds of several samples, as a user meets them.

use super::*;

/// A place with labels beside its images, and a configuration for them.
fn place() -> Option<Place> {
    let place = place_with_adapter()?;
    for (split, count) in [("train", 64u8), ("t10k", 32)] {
        let labels: Vec<u8> = (0..count).map(|i| i % 3).collect();
        let file = [&[0, 0, 8, 1, 0, 0, 0, count], &labels[..]].concat();
        place.write(&format!("idx/{split}-labels-idx1-ubyte"), file);
    }
    place.write("cond.toml", TINY.replace("latent = 2", "latent = 2\ncondition = \"label\""));
    Some(place)
}

#[test]
fn a_class_is_asked_for_by_its_name() {
    let Some(place) = place() else { return };
    place.ok(&["train", "--config", "cond.toml", "--out", "run"]);
    // Eight of each class, in a column of its own.
    let said = place.ok(&["sample", "run"]);
    assert_eq!(said, "wrote samples.png\n  columns: 0, 1, 2\n");
    assert_eq!(png_size(place.path("samples.png")), (32, 82));
    assert_eq!(place.ok(&["sample", "run", "--label", "1", "--out", "one.png"]), "wrote one.png\n");
    assert_eq!(png_size(place.path("one.png")), (82, 82));
    let one = ["sample", "run", "--label", "2", "--count", "64", "--out", "two.png"];
    place.ok(&one);
    assert!(place.read("one.png") != place.read("two.png"));
    let message = "--label 4: is no label of the model, which has 0, 1, 2";
    place.fails(&["sample", "run", "--label", "4"], 2, &[message]);
    let said = place.ok(&["sample", "run", "--count", "2", "--out", "few.png"]);
    assert_eq!(said, "wrote few.png\n  columns: 0, 1\n");
    place.ok(&["reconstruct", "run"]);
    place.ok(&["evaluate", "run"]);
    // Other data, with a class more.
    std::fs::create_dir(place.path("other")).unwrap();
    let images = place.read("idx/train-images-idx3-ubyte");
    place.write("other/train-images-idx3-ubyte", images);
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 64], &[3; 64][..]].concat();
    place.write("other/train-labels-idx1-ubyte", labels);
    let message = "other: column label: has the class 3, and the model was trained with 0, 1, 2";
    place.fails(&["evaluate", "run", "--data", "other"], 2, &[message]);
    place.fails(&["reconstruct", "run", "--data", "other", "--out", "x.png"], 2, &[message]);
    let listed = place.ok(&["inspect", "cond.toml"]);
    assert!(listed.contains("label: taken as 10 classes"), "{listed}");
    assert!(!place.ok(&["inspect", "run"]).contains("taken as"));
    // What the run was trained on is written down.
    assert!(place.text("run/config.toml").contains("classes = [\"0\", \"1\", \"2\"]"));

    place.train("plain", &[]);
    let message = "--label 1: the model in plain is conditioned on nothing; leave the flag out";
    place.fails(&["sample", "plain", "--label", "1"], 2, &[message]);
}

#[test]
fn data_without_the_class_are_refused() {
    let Some(place) = place_with_adapter() else { return };
    place.write("cond.toml", TINY.replace("latent = 2", "latent = 2\ncondition = \"label\""));
    let train = ["train", "--config", "cond.toml", "--out", "run"];
    let message =
        "column label: is not there, only image, and the model is conditioned on it; classes are";
    place.fails(&train, 2, &[message]);
    assert!(!place.path("run").exists());
    place.edit("cond.toml", "\"label\"", "3");
    let message = "model.condition: must be \"label\", or { column = \"label\", embedding = 8 }";
    place.fails(&train, 2, &["cond.toml", message]);
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bits() {
    let Some(place) = place() else { return };
    let iwae = "latent = 2\ncondition = { column = \"label\", embedding = 2 }\nsamples = 3\n\
                bound = \"iwae\"\ngradient = \"dreg\"";
    place.write("both.toml", TINY.replace("latent = 2", iwae));
    let train = |out: &str, more: &[&str]| {
        let words = ["train", "--config", "both.toml", "--batch-size", "37", "--out", out];
        place.ok(&[&words, more].concat());
    };
    train("whole", &[]);
    train("part", &["--max-steps", "3"]);
    place.ok(&["train", "--resume", "part"]);
    let [whole, part] =
        ["whole", "part"].map(|run| place.read(&format!("{run}/model.safetensors")));
    assert!(whole == part, "the models differ");
    let bound = place.ok(&["evaluate", "whole"]);
    assert!(bound.contains(" = the bound of 3 samples"), "{bound}");
    let at_mean = place.ok(&["evaluate", "whole", "--mean"]);
    assert!(at_mean.contains("at the mean, where it is no bound"), "{at_mean}");
    // 2 · 16 · 64 multiplications and additions for each of three samples.
    let listed = place.ok(&["inspect", "whole"]);
    let decoder = listed.lines().find(|line| line.starts_with("decoder.2")).unwrap();
    assert!(decoder.ends_with(" 0.006") && listed.contains("an image of 3 samples"), "{listed}");
}

/// Each level's divergence is told of, in the metrics and by `evaluate`.
#[test]
fn levels_are_trained_resumed_and_told_of() {
    let Some(place) = place_with_adapter() else { return };
    let level = "\n[[model.levels]]\nlatent = 3\nkl_schedule = { warmup = 1 }\n\
                 encoder = [{ linear = 9 }, \"tanh\"]\ndecoder = [{ linear = 9 }, \"tanh\"]\n\n[train]";
    place.write("two.toml", TINY.replace("\n[train]", level));
    let train = |out: &str, more: &[&str]| {
        let words = ["train", "--config", "two.toml", "--batch-size", "37", "--out", out];
        place.ok(&[&words, more].concat())
    };
    let said = train("whole", &[]);
    let row = said.lines().find(|line| line.trim_start().starts_with("2 ")).expect("a row");
    assert_eq!(row.split_whitespace().nth(5), Some("-"), "active units are not counted: {row}");
    train("part", &["--max-steps", "3"]);
    place.ok(&["train", "--resume", "part"]);
    let [whole, part] =
        ["whole", "part"].map(|run| place.read(&format!("{run}/model.safetensors")));
    assert!(whole == part, "the models differ");
    let metrics = place.text("whole/metrics.jsonl");
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let of = |key: &str| last[key].as_f64().unwrap_or_else(|| panic!("{key}: {last}"));
    // The first step's weight of the level above is 0, and the last epoch's 1.
    assert_eq!((of("kl.1_weight"), of("kl.2_weight")), (1.0, 1.0));
    let evaluated = place.ok(&["evaluate", "whole", "--samples", "20"]);
    for (name, key) in [("kl.1", "test_kl.1"), ("kl.2", "test_kl.2")] {
        let line = evaluated.lines().find(|line| line.trim_start().starts_with(name));
        let value: f64 = line.expect(name).split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((value - of(key)).abs() < 1e-3, "{name}: {value}, and {}", of(key));
    }
    place.ok(&["sample", "whole"]);
    place.ok(&["reconstruct", "whole"]);
    let listed = place.ok(&["inspect", "whole"]);
    assert!(listed.contains("levels.0.prior"), "{listed}");
    assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
}

#[test]
fn the_log_likelihood_is_estimated() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    let json = |args: &[&str]| -> serde_json::Value {
        let printed = place.ok(&[&["evaluate", "run", "--json"], args].concat());
        serde_json::from_str(&printed).unwrap()
    };
    assert!(json(&[]).get("nll").is_none());
    let [one, many] = ["1", "300"].map(|samples| json(&["--samples", samples]));
    assert_eq!(many["samples"], 300);
    let of = |json: &serde_json::Value, key: &str| json[key].as_f64().unwrap();
    assert!(of(&many, "nll") < of(&one, "nll"), "{one} {many}");
    assert!(of(&many, "nll_standard_error") > 0.0);
    assert_eq!(json(&["--samples", "300"]), many, "a seed fixes it");
    let said = place.ok(&["evaluate", "run", "--samples", "300"]);
    let line = said.lines().find(|line| line.starts_with("nll ")).expect("its line");
    assert!(line.contains(" ± ") && line.ends_with("  by 300 samples an image"), "{line}");

    // Black and white by draws, of which the picture shows those that it was made for.
    place.write("bw.toml", TINY.replace("latent = 2", "latent = 2\nbinarize = \"dynamic\""));
    place.ok(&["train", "--config", "bw.toml", "--out", "bw"]);
    place.ok(&["evaluate", "bw", "--samples", "3"]);
    let picture = image::open(place.path("bw/reconstructions.png")).unwrap().to_luma8();
    let first = image::imageops::crop_imm(&picture, 2, 2, 8, 8).to_image();
    assert!(first.pixels().all(|pixel| [0, 255].contains(&pixel.0[0])), "{first:?}");

    place.write("mse.toml", TINY.replace("latent = 2", "latent = 2\nlikelihood = \"gaussian\""));
    place.ok(&["train", "--config", "mse.toml", "--out", "mse"]);
    let said = place.ok(&["evaluate", "mse", "--samples", "3"]);
    assert!(said.contains("an image, with the Gaussian's constant, which recon leaves"), "{said}");

    place.write("auto.toml", TINY.replace("latent = 2", "latent = 2\nvariational = false"));
    place.ok(&["train", "--config", "auto.toml", "--out", "auto"]);
    let message = "the model is a plain autoencoder, which has no prior";
    place.fails(&["evaluate", "auto", "--samples", "5"], 2, &[message]);
}

#[test]
fn bounds_and_gradients_that_do_not_go_together_name_both_keys() {
    let place = Place::new();
    let with = |keys: &str| {
        place.write("bad.toml", TINY.replace("latent = 2", &format!("latent = 2\n{keys}")));
    };
    for (keys, message) in [
        ("gradient = \"dreg\"", "gradient = dreg: goes with bound = \"iwae\" alone"),
        ("bound = \"iwae\"\nkl_weight = 2.0", "kl_weight = 2: does not go with bound = \"iwae\""),
        ("bound = \"iwae\"\nfree_bits = 0.5", "free_bits = 0.5: does not go with bound = \"iwae\""),
        ("samples = 0", "samples = 0: must be a whole number from 1 to 16777216"),
        ("samples = 2\nvariational = false", "has no posterior to draw from: leave out samples"),
        ("bound = \"iwa\"", "did you mean `iwae`?"),
        ("binarize = \"fix\"", "did you mean `fixed`?"),
    ] {
        with(keys);
        place.fails(&["inspect", "bad.toml"], 2, &["bad.toml", message]);
    }
}
