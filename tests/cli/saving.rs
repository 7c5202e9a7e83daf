//! When a run is saved; and saves that are cut short: the run is the older one or the new one, whole.

use super::train::{metrics, same_files};
use super::*;

/// A place with the run `new`, the autoencoder `old`, and in `run` what a program leaves that was
/// killed while it replaced `old` by `new`, after the files called `moved` were in their places.
fn place_with_save_cut_short(moved: &[&str]) -> Option<Place> {
    let place = place_with_adapter()?;
    place.train("old", &[]);
    // A run without samples.
    place.edit("tiny.toml", "latent = 2\n", "latent = 2\nvariational = false\n");
    place.train("new", &["--seed", "7"]);
    place.copy_run("old", "run");
    for file in RUN_FILES.iter().filter(|file| **file != "samples.png") {
        let folder = if moved.contains(file) { "run" } else { "run/.vae-gpu-saved" };
        place.write(&format!("{folder}/{file}"), place.read(&format!("new/{file}")));
    }
    place.write("run/.vae-gpu-saved/.removed", "samples.png");
    Some(place)
}

const MOVED: [&[&str]; 3] =
    [&[], &["checkpoint.safetensors", "config.toml"], &["model.safetensors", "metrics.jsonl"]];

#[test]
fn a_save_cut_short_is_finished_by_whoever_opens_the_run() {
    for moved in MOVED {
        let Some(place) = place_with_save_cut_short(moved) else { return };
        let losses = place.ok(&["evaluate", "new", "--json"]);
        let layers = place.ok(&["inspect", "new"]);
        for command in [
            &["evaluate", "run", "--json"][..],
            &["evaluate", "run/model.safetensors", "--data", "idx", "--json"],
            &["inspect", "run"],
            &["reconstruct", "run", "--out", "run.png"],
            &["train", "--resume", "run"],
        ] {
            let before = place.everything();
            let printed = place.ok(command);
            match command[0] {
                "evaluate" => assert_eq!(printed, losses, "{command:?}"),
                "inspect" => assert_eq!(printed, layers, "{command:?}"),
                "train" => assert!(printed.contains("nothing to do: 2 epochs"), "{printed}"),
                _ => {}
            }
            let files: Vec<_> = RUN_FILES.into_iter().filter(|f| *f != "samples.png").collect();
            assert_eq!(names(place.path("run")), files, "{command:?}");
            same_files(&place, "new", "run", &files);
            // For the next command.
            fs::remove_dir_all(place.path("run")).unwrap();
            for (path, bytes) in before.iter().filter(|(p, _)| p.starts_with(place.path("run"))) {
                match bytes {
                    None => fs::create_dir(path).unwrap(),
                    Some(bytes) => fs::write(path, bytes).unwrap(),
                }
            }
        }
    }
}

/// A new run whose first save was committed and then cut short is a run.
#[test]
fn a_first_save_cut_short_is_a_run() {
    let Some(place) = place_with_adapter() else { return };
    place.train("new", &["--epochs", "1"]);
    place.copy_run("new", "run/.vae-gpu-saved");
    let train = ["train", "--config", "tiny.toml", "--out", "run"];
    place.fails(&train, 1, &["run: is there already; --resume it, --overwrite it or choose"]);
    place.ok(&["train", "--resume", "run", "--epochs", "2"]);
    place.train("whole", &[]);
    same_files(&place, "run", "whole", &["model.safetensors", "checkpoint.safetensors"]);
    assert_eq!(names(place.path("run")), RUN_FILES);

    // One that was cut short before was none.
    for folder in ["half/.vae-gpu-unfinished", "empty"] {
        fs::create_dir_all(place.path(folder)).unwrap();
    }
    place.write("half/.vae-gpu-unfinished/model.safetensors", "half");
    for run in ["half", "empty"] {
        place.fails(&["train", "--resume", run], 1, &["is no run folder: it holds no config.toml"]);
        place.train(run, &[]);
        same_files(&place, run, "whole", &["model.safetensors", "checkpoint.safetensors"]);
        assert_eq!(names(place.path(run)), RUN_FILES);
    }
}

/// What is not this program's is never moved or removed, whatever a damaged list says.
#[test]
fn a_list_of_removals_reaches_nothing_elsewhere() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    place.write("mine.txt", "mine");
    let list = format!("../mine.txt\n{}\n..\n.\n\n", place.path("mine.txt").display());
    place.write("run/.vae-gpu-saved/.removed", list);
    place.ok(&["train", "--resume", "run", "--epochs", "3"]);
    assert_eq!(place.text("mine.txt"), "mine");
    assert_eq!(names(place.path("run")), RUN_FILES);
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_without_fsync_is_trained_on_and_one_where_it_fails_is_not() {
    let Some(place) = place_with_adapter() else { return };
    let train = ["train", "--config", "tiny.toml", "--out", "run"];
    for errno in ["EINVAL", "EOPNOTSUPP", "ENOSYS"] {
        let call = format!("fsync,fdatasync:error={errno}");
        let Some(ran) = place.run_injected(&call, &train) else { return };
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{errno}");
        assert_eq!(names(place.path("run")), RUN_FILES);
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    for (errno, message) in [("EIO", "Input/output error"), ("ENOSPC", "No space left on device")] {
        // The first is a file's, the second a folder's.
        for nth in [1, 2] {
            let call = format!("fsync,fdatasync:error={errno}:when={nth}");
            let Some(ran) = place.run_injected(&call, &train) else { return };
            ran.failed(1, &["error: run/checkpoint.safetensors: cannot write: ", message]);
            assert!(!place.path("run").exists(), "{errno}");
        }
    }
}

/// An evaluation that takes longer than the time from one save to the next would never end if a save broke
/// it off.
#[test]
#[cfg(unix)]
fn an_evaluation_is_not_broken_off_for_a_save() {
    use std::os::unix::fs::MetadataExt;
    let Some(place) = place_with_adapter() else { return };
    // A single step, and thousands of batches of the evaluation.
    place.write("idx/train-images-idx3-ubyte", idx(1, 8, 8));
    place.write("idx/t10k-images-idx3-ubyte", idx(10_000, 8, 8));
    let args = ["--batch-size", "1", "--epochs", "1", "--save-every", "0", "--out", "run"];
    let mut command = place.command(&[&["train", "--config", "tiny.toml"], &args[..]].concat());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut saves = std::collections::BTreeSet::new();
    let checkpoint = place.path("run/checkpoint.safetensors");
    let ended = loop {
        saves.extend(fs::metadata(&checkpoint).ok().map(|file| (file.ino(), file.ctime_nsec())));
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None if saves.len() > 2 => child.kill().unwrap(),
            None => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    };
    // The untrained run, and the trained one.
    assert!(ended.success() && saves.len() <= 2, "{ended}: {} saves", saves.len());
}

/// The row of an epoch in which a run was saved is about all of it.
#[test]
fn an_epoch_with_saves_within_counts_all_of_its_images() {
    let Some(place) = place_with_adapter() else { return };
    place.write("idx/train-images-idx3-ubyte", idx(6000, 8, 8));
    place.train("run", &["--batch-size", "1", "--epochs", "1", "--save-every", "0"]);
    let line = metrics(&place, "run").remove(0);
    let [seconds, rate] = ["seconds", "images_per_second"].map(|key| line[key].as_f64().unwrap());
    assert!((seconds * rate / 6000.0 - 1.0).abs() < 1e-9, "{line}");
}
