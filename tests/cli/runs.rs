//! Run folders and model files that are none, or damaged.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::*;
use crate::common::tensor_file::changed;

/// A place with a trained run in it.
fn place_with_run() -> Option<Place> {
    let place = place_with_adapter()?;
    place.train("run", &[]);
    Some(place)
}

/// Commands that take a run, and the dataset where the folder does not say it.
fn commands(run: &str) -> [Vec<&str>; 3] {
    [
        vec!["sample", run, "--out", "out.png"],
        vec!["reconstruct", run, "--data", "idx", "--out", "out.png"],
        vec!["evaluate", run, "--data", "idx"],
    ]
}

#[test]
fn a_folder_that_is_no_run_fails() {
    let Some(place) = place_with_adapter() else { return };
    for command in commands("idx") {
        place.fails(&command, 1, &["idx: is no run folder: it holds no "]);
    }
    for command in commands("absent") {
        place.fails(&command, 1, &["absent: does not exist; give a "]);
    }
    let resume = |run| ["train", "--epochs", "9", "--resume", run];
    place.fails(&resume("idx"), 1, &["idx: is no run folder: it holds no config.toml"]);
    place.fails(&resume("absent"), 1, &["absent: does not exist; give a folder that training"]);
    place.fails(&resume("tiny.toml"), 1, &["tiny.toml: is no run folder"]);
}

#[test]
fn a_model_file_does_not_name_its_dataset() {
    let Some(place) = place_with_run() else { return };
    let message = "--data: is needed with a model file, which does not name its dataset";
    place.fails(&["evaluate", "run/model.safetensors"], 2, &[message]);
    place.ok(&["evaluate", "run/model.safetensors", "--data", "idx"]);
    place.ok(&["sample", "run/model.safetensors", "--out", "out.png"]);
}

#[test]
fn a_model_that_is_cut_short_fails() {
    let Some(place) = place_with_run() else { return };
    let whole = place.read("run/model.safetensors");
    for length in [0, 7, 500, whole.len() / 2, whole.len() - 1] {
        place.write("run/model.safetensors", &whole[..length]);
        for command in commands("run") {
            let message = "run/model.safetensors: is cut short or no safetensors file (";
            place.fails(&command, 1, &[message, "train again"]);
        }
    }
}

#[test]
fn a_model_of_another_program_fails() {
    let Some(place) = place_with_run() else { return };
    let values = [0; 16];
    let tensor = |shape: &[usize]| {
        let length = 4 * shape.iter().product::<usize>();
        TensorView::new(Dtype::F32, shape.to_vec(), &values[..length]).unwrap()
    };
    let other = |metadata| serialize([("fc.weight", tensor(&[2, 2]))], metadata).unwrap();
    let config = |text: &str| Some(HashMap::from([("config".to_string(), text.to_string())]));
    place.write("model.safetensors", other(None));
    place.write("kind.safetensors", other(config("{\"layers\": 12}")));
    // The description of the run's own model, on the wrong tensors.
    let bytes = place.read("run/model.safetensors");
    place.write("tensors.safetensors", changed(&bytes, |_, tensors| tensors.clear()));
    let latent = changed(&bytes, |config, _| config["model"]["latent"] = 0.into());
    place.write("latent.safetensors", latent);
    place.write("text.safetensors", "not at all, but long enough to look at");
    for (file, message) in [
        ("model.safetensors", "was not written by vae-gpu: its metadata has no `config`; give"),
        ("kind.safetensors", "has a `config` of another kind ("),
        ("tensors.safetensors", "has no tensor encoder.0.weight"),
        ("latent.safetensors", "has an impossible config: latent = 0: must be"),
        ("text.safetensors", "is cut short or no safetensors file"),
        ("run/checkpoint.safetensors", "is a checkpoint; give the model.safetensors beside it"),
    ] {
        for command in commands(file) {
            place.fails(&command, 1, &[&format!("{file}: {message}")]);
        }
    }
}

#[test]
fn images_of_another_shape_fail() {
    let Some(place) = place_with_run() else { return };
    place.write("pngs/a.png", png(9, 8, 1));
    for command in ["evaluate", "reconstruct"] {
        let parts = ["takes images of 8x8x1", "dataset has 9x8x1"];
        place.fails(&[command, "run", "--data", "pngs"], 2, &parts);
    }
    place.ok(&["evaluate", "run", "--data", "pngs", "--size", "8x8"]);
}

#[test]
fn the_dataset_of_a_run_must_still_be_there() {
    let Some(place) = place_with_run() else { return };
    fs::rename(place.path("idx"), place.path("moved")).unwrap();
    for command in ["evaluate", "reconstruct"] {
        place.fails(&[command, "run"], 1, &["/idx: cannot read the dataset: No such file"]);
        place.fails(&[command, "run", "--data", "absent"], 1, &["error: absent: cannot read the"]);
    }
    place.ok(&["evaluate", "run", "--data", "moved"]);
}

#[test]
fn a_checkpoint_that_is_cut_short_is_not_resumed() {
    let Some(place) = place_with_run() else { return };
    let whole = place.read("run/checkpoint.safetensors");
    for length in [0, 500, whole.len() / 2, whole.len() - 1] {
        place.write("run/checkpoint.safetensors", &whole[..length]);
        let message = "run/checkpoint.safetensors: is cut short or no safetensors file (";
        place.fails(&["train", "--resume", "run", "--epochs", "4"], 1, &[message]);
    }
    fs::remove_file(place.path("run/checkpoint.safetensors")).unwrap();
    let message = "run: holds no checkpoint.safetensors to resume from";
    place.fails(&["train", "--resume", "run", "--epochs", "4"], 1, &[message]);
}

/// Bits of the tensors, the counters and the description, and what each command does then.
#[test]
fn a_flipped_bit_is_told_with_the_name_of_its_file() {
    let Some(place) = place_with_run() else { return };
    place.copy_run("run", "kept");
    let resume = ["train", "--resume", "run", "--epochs", "4"];
    for (file, commands) in [
        ("checkpoint.safetensors", vec![&resume[..]]),
        ("model.safetensors", vec![&["sample", "run"], &["evaluate", "run"], &["inspect", "run"]]),
    ] {
        let whole = place.read(&format!("kept/{file}"));
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let text = |text: &[u8]| whole.windows(text.len()).position(|at| at == text).unwrap();
        for at in [
            text(b"batch_size") + 15,
            text(b"crc32") + 8,
            text(b"\"latent\\\":2") + 11,
            header,
            header + 1003,
            whole.len() - 13,
            whole.len() - 1,
        ] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            place.write(&format!("run/{file}"), bytes);
            for command in &commands {
                place.fails(command, 1, &[&format!("run/{file}: "), "is damaged"]);
            }
        }
        place.copy_run("kept", "run");
    }
    // The run itself is whole.
    place.ok(&resume);
}

#[test]
fn a_damaged_run_is_not_resumed() {
    let Some(place) = place_with_run() else { return };
    place.write("other/train-images-idx3-ubyte", idx(48, 8, 8));
    let other = place.path("other");
    for (file, from, to, message) in [
        ("config.toml", "latent = 2", "latent = ", "run: is damaged: config.toml:2: "),
        ("config.toml", "latent = 2", "latent = 0", "run: is damaged: config.toml: latent = 0: "),
        ("config.toml", "latent = 2", "latent = 3", "checkpoint.safetensors: belongs to another"),
        ("config.toml", "seed = 1", "seed = 2", "checkpoint.safetensors: belongs to another"),
        ("config.toml", "/idx\"", "/gone\"", "gone: cannot read the dataset: No such file"),
        ("metrics.jsonl", "\"step\":8", "\"step\":", "metrics.jsonl: line 2 is damaged ("),
    ] {
        place.copy_run("run", "kept");
        place.edit(&format!("run/{file}"), from, to);
        place.fails(&["train", "--resume", "run", "--epochs", "4"], 1, &[message]);
        place.copy_run("kept", "run");
    }
    let moved = ["train", "--resume", "run", "--epochs", "4", "--data", other.to_str().unwrap()];
    place.fails(&moved, 1, &["checkpoint.safetensors: belongs to another model, dataset or"]);
}

#[test]
fn a_folder_is_not_overwritten_unasked() {
    let Some(place) = place_with_run() else { return };
    let train = ["train", "--config", "tiny.toml", "--seed", "2"];
    let out = |out, more: &[&'static str]| [&train[..], &["--out", out], more].concat();
    place.fails(&out("run", &[]), 1, &["run: is there already; --resume it, --overwrite it or"]);
    place.fails(&out("tiny.toml", &[]), 1, &["tiny.toml: is in the way: it is a file"]);
    place.fails(&out("idx", &["--overwrite"]), 1, &["idx: is not empty and holds more than a run"]);
    place.write("run/notes.txt", "mine");
    let message = "run: is not empty and holds more than a run; choose another --out";
    place.fails(&out("run", &["--overwrite"]), 1, &[message]);
}
