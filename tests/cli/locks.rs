//! Two programs on one run folder: the second is told so, and nothing is lost.

use std::io::{BufRead, BufReader};
use std::process::Child;

use super::train::{metrics, same_files};
use super::*;

/// A program that trains in `run` until it is killed, and has told of its first epoch.
struct Training(Child);

impl Training {
    fn start(place: &Place, out: &str) -> Self {
        let args = ["train", "--config", "tiny.toml", "--epochs", "1000000", "--out", out];
        let mut child = place.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("    1 ") {
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0, "it ended before an epoch did");
        }
        // It goes on printing.
        std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
        Self(child)
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_in_use_is_left_alone() {
    let Some(place) = place_with_adapter() else { return };
    let training = Training::start(&place, "run");
    let process = match cfg!(target_os = "linux") {
        true => format!("process {}", training.0.id()),
        false => "another process".into(),
    };
    let message = format!("error: run: is in use by {process}, which trains in it; wait until");
    place.run(&["train", "--resume", "run"]).failed(1, &[&message]);
    let train = ["train", "--config", "tiny.toml", "--out", "run"];
    place.run(&[&train[..], &["--overwrite"]].concat()).failed(1, &[&message]);
    place.run(&train).failed(1, &["run: is there already"]);
    // Whoever only reads may do so meanwhile; what is saved may be the untrained model.
    for command in [&["sample", "run", "--out", "out.png"][..], &["evaluate", "run"]] {
        let ran = place.run(command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    // A crash leaves nothing that stands in the way.
    drop(training);
    place.ok(&["train", "--resume", "run", "--epochs", "2"]);
    place.train("whole", &[]);
    same_files(&place, "run", "whole", &["model.safetensors", "checkpoint.safetensors"]);
    assert_eq!(names(place.path("run")), RUN_FILES);
}

/// Runs both commands at once, and asserts that at least one of them succeeds and the other, should it
/// fail, says why with one of `reasons`.
fn both(place: &Place, commands: [&[&str]; 2], reasons: &[&str]) {
    let start = |args: &[&str]| {
        place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = commands.map(start);
    let ran = children.map(|child| Ran::from(child.wait_with_output().unwrap()));
    assert!(ran.iter().any(|ran| ran.code == Some(0)), "{} {}", ran[0].stderr, ran[1].stderr);
    for Ran { code, stderr, .. } in &ran {
        let refused = reasons.iter().any(|reason| stderr.contains(reason));
        assert!(*code == Some(0) || *code == Some(1) && refused, "{code:?}: {stderr}");
    }
}

#[test]
fn of_two_at_once_one_is_done_and_whole() {
    let Some(place) = place_with_adapter() else { return };
    place.train("whole", &["--epochs", "3"]);
    place.train("old", &["--seed", "7"]);
    let files = ["model.safetensors", "checkpoint.safetensors", "samples.png", "config.toml"];
    let train = ["train", "--config", "tiny.toml", "--epochs", "3", "--out", "run"];
    let overwrite = [&train[..], &["--overwrite"]].concat();
    let resume = ["train", "--resume", "run", "--epochs", "3"];
    for _ in 0..2 {
        both(&place, [&train, &train], &["run: is in use by", "run: is there already"]);
        same_files(&place, "run", "whole", &files);
        place.copy_run("old", "run");
        both(&place, [&overwrite, &overwrite], &["run: is in use by"]);
        same_files(&place, "run", "whole", &files);
        fs::remove_dir_all(place.path("run")).unwrap();
        place.train("run", &[]);
        both(&place, [&resume, &resume], &["run: is in use by"]);
        same_files(&place, "run", "whole", &files);
        assert_eq!(metrics(&place, "run").len(), 3);
        assert_eq!(names(place.path("run")), RUN_FILES);
        fs::remove_dir_all(place.path("run")).unwrap();
    }
}

#[test]
fn two_without_out_take_two_folders() {
    let Some(place) = place_with_adapter() else { return };
    let train = ["train", "--config", "tiny.toml", "--epochs", "1"];
    both(&place, [&train, &train], &[]);
    assert_eq!(names(place.path("runs")), ["tiny-idx", "tiny-idx-2"]);
    same_files(&place, "runs/tiny-idx", "runs/tiny-idx-2", &["model.safetensors"]);
}

/// Where a folder itself cannot be locked, a file in it is; where nothing can, that is said.
#[test]
#[cfg(target_os = "linux")]
fn file_systems_that_lock_less_are_trained_on() {
    let Some(place) = place_with_adapter() else { return };
    for (injected, said) in [("EBADF:when=1", false), ("ENOLCK", true), ("EOPNOTSUPP", true)] {
        let call = format!("flock:error={injected}");
        let train = ["train", "--config", "tiny.toml", "--out", "run"];
        let Some(ran) = place.run_injected(&call, &train) else { return };
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{injected}");
        assert_eq!(ran.stdout.contains("its file system has no locks"), said, "{}", ran.stdout);
        assert_eq!(names(place.path("run")), RUN_FILES);
        fs::remove_dir_all(place.path("run")).unwrap();
    }
}
