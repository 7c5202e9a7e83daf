//! Signals that ask the program to end, wherever it is, and streams that nobody takes.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::time::{Duration, Instant};

use super::train::metrics;
use super::*;

/// Sends a signal by the shell's own kill: a bare Debian has no other.
fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Waits until `holds`, for a minute at most.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const ENDLESS: [&str; 7] =
    ["train", "--config", "tiny.toml", "--out", "run", "--epochs", "1000000"];

/// Lets `command` hear SIGHUP, also where the tests run under nohup.
fn hearing(command: &mut Command) -> &mut Command {
    // SAFETY: signal() may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        })
    }
}

/// Starts `command` and reads its standard output up to the line that begins with `line`.
fn started(command: &mut Command, line: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let command = hearing(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut child = command.spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.starts_with(line) {
        printed.clear();
        assert!(reader.read_line(&mut printed).unwrap() > 0, "it ended before {line:?}");
    }
    (child, reader)
}

/// How it ended, and what else it printed.
fn ended(child: Child, mut reader: BufReader<std::process::ChildStdout>) -> Ran {
    let mut stdout = String::new();
    reader.read_to_string(&mut stdout).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    Ran { stdout, ..ran }
}

/// What `timeout`, schedulers and terminals send, once and twice at a time as they do.
#[test]
fn whatever_asks_it_to_end_saves() {
    let Some(place) = place_with_adapter() else { return };
    for signals in [&["TERM"][..], &["HUP"], &["XCPU"], &["TERM", "TERM"], &["HUP", "HUP", "TERM"]]
    {
        let args = [&ENDLESS[..], &["--overwrite"]].concat();
        let (child, reader) = started(&mut place.command(&args), "    1 ");
        signals.iter().for_each(|signal| send(signal, &child));
        let ran = ended(child, reader);
        assert_eq!(ran.code, Some(130), "{signals:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("stopping after this step").count(), 1, "{}", ran.stderr);
        assert!(ran.stdout.contains("to go on:\n"), "{signals:?}: {}", ran.stdout);
        let (_, step) = ran.stdout.split_once("stopped after step ").unwrap();
        let step: u32 = step.split(';').next().unwrap().parse().unwrap();
        let epochs = (step / 4 + 2).to_string();
        place.ok(&["train", "--resume", "run", "--epochs", &epochs]);
        assert_eq!(metrics(&place, "run").len() as u32, step / 4 + 2);
    }
}

#[test]
fn nohup_holds() {
    let Some(place) = place_with_adapter() else { return };
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_vae-gpu")]);
    place.prepare(command.args(ENDLESS));
    let (child, mut reader) = started(&mut command, "    1 ");
    send("HUP", &child);
    for _ in 0..20 {
        assert!(reader.read_line(&mut String::new()).unwrap() > 0, "it ended");
    }
    send("TERM", &child);
    let ran = ended(child, reader);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
}

/// Nobody reads what it prints, so that it cannot stop after a step.
#[test]
#[cfg(target_os = "linux")]
fn a_second_signal_ends_at_once() {
    let Some(place) = place_with_adapter() else { return };
    for signal in ["INT", "TERM"] {
        let args = [&ENDLESS[..], &["--overwrite"]].concat();
        let (mut child, reader) = started(&mut place.command(&args), "    1 ");
        let pipe = reader.get_ref().as_raw_fd();
        // SAFETY: both calls are given what they take.
        let waiting = || unsafe {
            let mut bytes: libc::c_int = 0;
            assert_eq!(libc::ioctl(pipe, libc::FIONREAD, &mut bytes), 0);
            bytes
        };
        unsafe { libc::fcntl(pipe, libc::F_SETPIPE_SZ, 4096) };
        wait_until("it never filled the pipe", || {
            let before = waiting();
            std::thread::sleep(Duration::from_millis(200));
            before > 3000 && waiting() == before
        });
        send(signal, &child);
        std::thread::sleep(Duration::from_millis(600));
        assert!(child.try_wait().unwrap().is_none(), "it ended without saving");
        send(signal, &child);
        wait_until("it did not end", || child.try_wait().unwrap().is_some());
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

/// What has nothing to save ends at once, and leaves nothing.
#[test]
fn before_there_is_a_run_it_leaves_nothing() {
    let Some(place) = place_with_adapter() else { return };
    // Half a second and more of unpacking.
    let many = [&idx_header(40_000, 64, 64)[..], &vec![0; 40_000 * 64 * 64]].concat();
    place.write("big/train-images-idx3-ubyte.gz", gz(&many));
    let before = place.everything();
    for signal in ["INT", "TERM", "HUP"] {
        let args = ["train", "--data", "big", "--out", "run"];
        let mut command = place.command(&args);
        let command = hearing(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150));
        send(signal, &child);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.trim()), (Some(130), "stopped"), "{signal}");
        assert!(place.everything() == before, "{signal}: something was left");
    }
}

/// A picture of which the half is written.
#[test]
fn an_unfinished_picture_goes_with_the_program() {
    let Some(place) = place_with_adapter() else { return };
    place.write("large/train-images-idx3-ubyte", idx(16, 64, 64));
    place.train("run", &["--data", "large", "--epochs", "1"]);
    let args = ["sample", "run", "--count", "65536", "--out", "out.png"];
    let before = place.everything();
    let count = names(place.path("")).len();
    let mut command = place.command(&args);
    let child = hearing(command.stdout(Stdio::piped()).stderr(Stdio::piped())).spawn().unwrap();
    wait_until("no file was begun", || names(place.path("")).len() > count);
    send("TERM", &child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.trim()), (Some(130), "stopped"));
    assert!(place.everything() == before, "something was left");
}

#[test]
fn what_tuning_found_before_a_signal_is_kept() {
    let Some(place) = place_with_adapter() else { return };
    let mut command = place.command(&["tune", "--preset", "conv", "--level", "full"]);
    command.env("VAE_GPU_CACHE", place.path("cache"));
    let (child, reader) = started(&mut command, "forward");
    send("INT", &child);
    let ran = ended(child, reader);
    assert_eq!((ran.code, ran.stderr.trim()), (Some(130), "stopped"));
    let kept = names(place.path("cache"));
    assert!(kept.iter().any(|name| name.to_str().unwrap().starts_with("tuning-")), "{kept:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn standard_error_that_cannot_be_written_changes_nothing() {
    let Some(place) = place_with_adapter() else { return };
    let train = ["train", "--config", "tiny.toml", "--overwrite", "--out", "run"];
    for (args, code) in [
        (&["presets", "none"][..], 2),
        (&["train", "--bogus"], 2),
        (&["sample", "absent"], 1),
        (&["--help"], 0),
        (&train, 0),
    ] {
        for (log, stream) in [("off", "2>/dev/full"), ("debug", "2>/dev/full"), ("off", "2>&-")] {
            let mut command = Command::new("sh");
            let script = format!("exec \"$@\" {stream}");
            command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_vae-gpu")]).args(args);
            place.prepare(&mut command);
            let ran = Ran::from(command.env("RUST_LOG", log).output().unwrap());
            assert_eq!(ran.code, Some(code), "{args:?} {stream} {log}: {}", ran.stdout);
        }
        // A pipe whose reader has gone.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(args).env("RUST_LOG", "debug").stderr(writer).output().unwrap();
        assert_eq!(Ran::from(output).code, Some(code), "{args:?} into a closed pipe");
    }
    let (child, reader) = started(
        place.command(&[&ENDLESS[..], &["--overwrite"]].concat()).env("RUST_LOG", "off"),
        "    1 ",
    );
    let mut child = child;
    drop(child.stderr.take());
    send("INT", &child);
    let ran = ended(child, reader);
    assert_eq!(ran.code, Some(130));
    assert!(ran.stdout.contains("to go on:\n"), "{}", ran.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn training_that_cannot_print_is_saved() {
    let Some(place) = place_with_adapter() else { return };
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&ENDLESS).stdout(full()).output().unwrap();
    Ran::from(output).failed(1, &["error: standard output: cannot write: No space left"]);
    place.ok(&["train", "--resume", "run", "--epochs", "2"]);
    for args in [&["--help"][..], &["--version"], &["train", "--help"]] {
        let output = place.command(args).stdout(full()).output().unwrap();
        Ran::from(output).failed(1, &["error: standard output: cannot write: No space left"]);
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_that_names_it() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    for (args, file) in [
        (&["sample", "run", "--count", "4000", "--out", "out.png"][..], "out.png"),
        (&["train", "--resume", "run", "--epochs", "3"], "run/checkpoint.safetensors"),
        (&["train", "--config", "tiny.toml", "--out", "new"], "new/checkpoint.safetensors"),
    ] {
        let before = place.everything();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 4; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_vae-gpu")]);
        place.prepare(command.args(args));
        let mut ran = Ran::from(command.output().unwrap());
        ran.stdout.clear();
        ran.failed(1, &[&format!("error: {file}: cannot write: File too large")]);
        assert!(place.everything() == before, "{args:?} left something behind");
    }
}
