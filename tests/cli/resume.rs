//! Runs that stop and go on: the same bytes as if they had not stopped.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use super::train::{metrics, same_files};
use super::*;

/// All files but `metrics.jsonl`, which tells the time.
const SAME: [&str; 6] = [
    "checkpoint.safetensors",
    "config.toml",
    "loss.svg",
    "model.safetensors",
    "reconstructions.png",
    "samples.png",
];

#[track_caller]
fn same_runs(place: &Place, a: &str, b: &str) {
    same_files(place, a, b, &SAME);
    let [a, b] = [a, b].map(|run| {
        let mut lines = metrics(place, run);
        for line in &mut lines {
            line["seconds"].take();
            line["images_per_second"].take();
        }
        lines
    });
    assert_eq!(a, b);
}

#[test]
fn twice_n_epochs_are_n_and_n() {
    let Some(place) = place_with_adapter() else { return };
    place.train("whole", &["--epochs", "4"]);
    place.train("parts", &["--epochs", "2"]);
    let printed = place.ok(&["train", "--resume", "parts", "--epochs", "4"]);
    assert!(printed.contains("resumed  after step 8"), "{printed}");
    same_runs(&place, "whole", "parts");
}

#[test]
fn stopping_within_an_epoch_makes_no_difference() {
    let Some(place) = place_with_adapter() else { return };
    // The last batch of an epoch is smaller.
    place.train("whole", &["--batch-size", "15"]);
    place.train("parts", &["--batch-size", "15", "--max-steps", "3"]);
    assert_eq!(metrics(&place, "parts").len(), 1);
    place.ok(&["train", "--resume", "parts", "--max-steps", "4"]);
    place.ok(&["train", "--resume", "parts", "--max-steps", "9"]);
    place.ok(&["train", "--resume", "parts"]);
    same_runs(&place, "whole", "parts");
}

/// What an optimizer keeps, and what depends on the step, goes on as well.
#[test]
fn whatever_a_configuration_sets_goes_on() {
    let Some(place) = place_with_adapter() else { return };
    place.edit(
        "tiny.toml",
        "latent = 2\n",
        "latent = 2\nkl_schedule = { cyclical = { cycles = 2, ramp = 0.5 } }\n",
    );
    place.edit(
        "tiny.toml",
        "epochs = 2\n",
        "epochs = 4\nlearning_rate = 0.01\nwarmup_epochs = 1.5\nclip_norm = 5.0\n\
         optimizer = { name = \"rmsprop\", momentum = 0.5, weight_decay = 0.01 }\n\
         schedule = { name = \"exponential\", factor = 0.5 }\n",
    );
    place.train("whole", &[]);
    place.train("parts", &["--max-steps", "6"]);
    let config = place.text("parts/config.toml");
    for set in ["cyclical", "warmup_epochs", "clip_norm", "rmsprop", "exponential"] {
        assert!(config.contains(set), "{set} is not in {config}");
    }
    let printed = place.ok(&["train", "--resume", "parts"]);
    assert!(printed.contains("resumed  after step 6"), "{printed}");
    same_runs(&place, "whole", "parts");
    let lines = metrics(&place, "parts");
    // The warm-up ends in the second of four steps of the second epoch.
    let rates: Vec<_> = lines.iter().map(|line| line["learning_rate"].as_f64().unwrap()).collect();
    assert!((rates[2] / 0.0025 - 1.0).abs() < 1e-9 && rates[3] == rates[2] / 2.0, "{rates:?}");
    let [first, last] = [0, 3].map(|i| lines[i]["train_recon"].as_f64().unwrap());
    assert!(last < first, "from {first} to {last}");
}

#[test]
fn a_finished_run_is_left_alone() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    let before = place.everything();
    for more in [&[][..], &["--epochs", "1"], &["--max-steps", "3"]] {
        let printed = place.ok(&[&["train", "--resume", "run"], more].concat());
        assert!(printed.contains("nothing to do: 2 epochs and 8 steps are done"), "{printed}");
        assert!(printed.contains("--epochs"), "{printed}");
    }
    assert!(before == place.everything());
}

#[test]
fn a_run_goes_on_where_its_dataset_has_moved() {
    let Some(place) = place_with_adapter() else { return };
    place.train("whole", &["--epochs", "3"]);
    place.train("parts", &[]);
    fs::rename(place.path("idx"), place.path("moved")).unwrap();
    place.ok(&["train", "--resume", "parts", "--epochs", "3", "--data", "moved"]);
    same_files(&place, "whole", "parts", &["model.safetensors", "checkpoint.safetensors"]);
}

#[test]
fn a_run_goes_on_without_a_damaged_line() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    place.write("run/metrics.jsonl", place.text("run/metrics.jsonl") + "{\"epoch\":3");
    let resume = ["train", "--resume", "run", "--epochs", "3"];
    place.fails(&resume, 1, &["run/metrics.jsonl: line 3 is damaged (", "delete the line"]);
    place.edit("run/metrics.jsonl", "{\"epoch\":3", "");
    place.ok(&resume);
    assert_eq!(metrics(&place, "run").len(), 3);
}

#[test]
fn what_a_killed_program_was_saving_is_cleared_away() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    place.write("run/.vae-gpu-unfinished/checkpoint.safetensors", "half");
    place.ok(&["train", "--resume", "run", "--epochs", "3"]);
    assert_eq!(names(place.path("run")), RUN_FILES);
}

/// Starts an endless run of 128 steps an epoch, sends it Ctrl-C as soon as `ready` says so, and
/// goes on for two epochs: the files must be those of a run that nobody interrupted.
#[cfg(unix)]
fn interrupt(ready: impl FnOnce(&Place, &mut dyn BufRead)) {
    let Some(place) = place_with_adapter() else { return };
    place.write("idx/train-images-idx3-ubyte", idx(2048, 8, 8));
    let args = ["train", "--config", "tiny.toml", "--out", "run"];
    let mut command = place.command(&[&args[..], &["--epochs", "1000000"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    ready(&place, &mut reader);
    // The shell's own kill: a bare Debian has no other.
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut reader, &mut printed).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(
        ran.stderr.trim(),
        "stopping after this step, then saving; Ctrl-C again to quit \
                                   at once"
    );
    let (_, step) = printed.split_once("stopped after step ").expect(&printed);
    let (step, hint) = step.split_once("; to go on:\n").expect(&printed);
    assert!(hint.trim().ends_with("vae-gpu train --resume run"), "{hint}");
    assert_eq!(names(place.path("run")), RUN_FILES);

    let epochs = (step.parse::<u32>().unwrap() / 128 + 2).to_string();
    place.ok(&["train", "--resume", "run", "--epochs", &epochs]);
    place.train("whole", &["--epochs", &epochs]);
    same_runs(&place, "whole", "run");
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_says_how_to_go_on() {
    interrupt(|_, printed| {
        let mut line = String::new();
        while !line.starts_with("    1 ") {
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0, "it ended before an epoch did");
        }
    });
}

#[test]
#[cfg(unix)]
fn ctrl_c_at_the_very_start_leaves_a_whole_run() {
    interrupt(|place, _| {
        let patience = Instant::now() + Duration::from_secs(60);
        while !place.path("run").exists() {
            assert!(Instant::now() < patience, "no run folder");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Older runs call the test split validation.
#[test]
fn a_run_under_older_names_goes_on() {
    let Some(place) = place_with_adapter() else { return };
    fs::remove_file(place.path("idx/t10k-images-idx3-ubyte")).unwrap();
    for run in ["whole", "parts"] {
        let epochs = if run == "whole" { "4" } else { "2" };
        place.train(run, &["--hold-out", "0.25", "--epochs", epochs]);
    }
    place.edit("parts/metrics.jsonl", "\"test_", "\"val_");
    place.edit("parts/config.toml", "hold_out", "validation");
    place.ok(&["train", "--resume", "parts", "--epochs", "4"]);
    // The curve has all epochs of the test split.
    same_files(&place, "whole", "parts", &["loss.svg", "model.safetensors", "config.toml"]);
}
