//! Commands that only tell: devices, presets, help, version.

use vae_gpu::{Config, Preset};

use super::*;

#[test]
fn devices_are_listed_with_the_default_marked() {
    let Some(place) = place_with_adapter() else { return };
    let printed = place.ok(&["devices"]);
    let json = place.ok(&["devices", "--json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    for (device, index) in all.iter().zip(0..) {
        assert_eq!(device["index"], index);
        assert!(printed.contains(device["name"].as_str().unwrap()), "{printed}");
        assert!(device["max_binding_bytes"].as_u64().unwrap() > 0);
        assert!(device["subgroups"].is_boolean());
    }
    let default = printed.lines().next().unwrap();
    assert!(default.starts_with("0  ") && default.ends_with("(used by default)"), "{printed}");
    assert_eq!(printed.matches("used by default").count(), 1);
}

#[test]
fn an_adapter_is_chosen_by_index_name_or_backend() {
    let Some(place) = place_with_adapter() else { return };
    let report = adapter().as_ref().unwrap();
    let name = report["name"].as_str().unwrap();
    let part = name.split(' ').next().unwrap().to_uppercase();
    let backend = report["backend"].as_str().unwrap();
    for choice in [["--adapter", "0"], ["--adapter", &part], ["--backend", backend]] {
        let out = format!("run{}", choice[1]);
        let printed = place.train(&out, &[&choice[..], &["--max-steps", "1"]].concat());
        let kind = report["kind"].as_str().unwrap();
        let heading = format!("adapter  {name} ({kind}, index 0)\n");
        assert!(printed.contains(&heading), "{choice:?}: {printed}");
    }
    // A number that is no index is part of a name, as in RTX 4090.
    let numbers = name.split(|c: char| !c.is_ascii_digit());
    if let Some(number) = numbers.filter(|n| n.len() > 2).max() {
        assert!(place.ok(&["devices", "--adapter", number]).contains(name));
        // And no part of one.
        place.fails(
            &["devices", "--adapter", &number[1..]],
            1,
            &["no such adapter; there are: 0 "],
        );
    }
}

#[test]
fn presets_are_listed_and_printed() {
    let place = Place::new();
    let list = place.ok(&["presets"]);
    assert_eq!(list.lines().count(), Preset::ALL.len());
    for preset in Preset::ALL {
        assert!(
            list.lines().any(|line| line.starts_with(&format!("{} ", preset.name()))),
            "{list}"
        );
        let toml = place.ok(&["presets", preset.name()]);
        assert_eq!(Config::parse(&toml, preset.name()).unwrap(), preset.config());
    }
}

/// Without an adapter: dispatches, what they bind, and WGSL that parses as it is printed.
#[test]
fn a_plan_prints_dispatches_and_their_text() {
    let place = Place::new();
    let list = place.ok(&["plan", "mlp", "--batch-size", "37"]);
    assert!(list.contains("37 images at once"), "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let is_dispatch = |line: &&str| line.contains(".matmul.") || line.contains(".latent.");
    assert_eq!(list.lines().filter(is_dispatch).count(), 10, "{list}");
    for (step, last) in [
        ("train", "step.report.accumulate"),
        ("evaluate", "step.report.accumulate"),
        ("sample", "decoder.loss.mean"),
        ("reconstruct", "decoder.loss.mean"),
    ] {
        let list = place.ok(&["plan", "conv", "--step", step]);
        let dispatches = list.split("\n\n").nth(1).unwrap();
        assert!(dispatches.lines().last().unwrap().contains(last), "{list}");
    }
    let one = place.ok(&["plan", "mlp", "--dispatch", "1"]);
    assert!(one.starts_with("// encoder.0.matmul.forward\n"), "{one}");
    let module = naga::front::wgsl::parse_str(&one).unwrap();
    assert!(module.entry_points.iter().any(|entry| entry.name == "forward"));
    let all = place.ok(&["plan", "mlp", "--shader"]);
    assert_eq!(all.matches("fn backward_weight_step").count(), 1, "each text once");
    place.fails(&["plan", "mlp", "--dispatch", "13"], 2, &["--dispatch 13: must be from 0 to 12"]);
    for command in ["plan", "inspect"] {
        let args = [command, "mlp", "--batch-size", "18446744073709551615"];
        place.fails(
            &args,
            2,
            &["'--batch-size <IMAGES>': must be a whole number from 1 to 16777216"],
        );
    }
    place.fails(&["plan", "mlp", "--step", "dream"], 2, &["--step", "there are: train, evaluate"]);
}

#[test]
fn a_printed_preset_trains() {
    let Some(place) = place_with_adapter() else { return };
    place.write("mine.toml", place.ok(&["presets", "mlp-deep"]));
    let more = ["--data", "idx", "--batch-size", "16", "--max-steps", "1"];
    place.ok(&[&["train", "--config", "mine.toml", "--out", "mine"], &more[..]].concat());
    place.ok(&[&["train", "--preset", "mlp-deep", "--out", "preset"], &more[..]].concat());
    assert!(place.read("mine/model.safetensors") == place.read("preset/model.safetensors"));
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    let place = Place::new();
    let commands = [
        "",
        "train",
        "sample",
        "reconstruct",
        "evaluate",
        "tune",
        "devices",
        "bench",
        "inspect",
        "presets",
    ];
    for command in commands {
        for flag in ["-h", "--help"] {
            let args: Vec<_> = [command, flag].into_iter().filter(|a| !a.is_empty()).collect();
            let help = place.ok(&args);
            assert!(help.contains(&format!("Usage: vae-gpu {command}")), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{args:?}: {line}");
            }
        }
    }
}

#[test]
fn without_a_command_it_shows_the_help() {
    let ran = Place::new().run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("Usage: vae-gpu"), "{}", ran.stderr);
}

#[test]
fn version_is_the_crate_s() {
    let version = format!("vae-gpu {}\n", env!("CARGO_PKG_VERSION"));
    let place = Place::new();
    for flag in ["-V", "--version"] {
        assert_eq!(place.ok(&[flag]), version);
    }
}

/// In a system of its own with the device file of a GPU whose driver is missing.
#[cfg(target_os = "linux")]
#[test]
fn a_gpu_that_does_not_answer_is_told_once() {
    let Some(place) = place_with_adapter() else { return };
    if adapter().as_ref().unwrap()["kind"] != "software" {
        return skip("the adapter is no software one");
    }
    place.train("run", &[]);
    let script = "mkdir old && mount --rbind /dev old && mount -t tmpfs none /dev || exit 99
         for file in null zero random urandom; do
             touch /dev/$file && mount --bind old/$file /dev/$file || exit 99
         done
         touch /dev/nvidia0; \"$@\"; code=$?; umount -l old; exit $code";
    let run = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_vae-gpu")).args(args);
        place.prepare(&mut command);
        let ran = command.output().ok().map(|output| {
            let stderr = String::from_utf8(output.stderr).unwrap();
            (output.status.code(), stderr)
        });
        let _ = fs::remove_dir(place.path("old"));
        ran.filter(|(code, stderr)| *code != Some(99) && !stderr.starts_with("unshare:"))
    };
    let Some((code, stderr)) = run(&["sample", "run", "--out", "a.png"]) else {
        return skip("a system of its own cannot be made here with unshare");
    };
    assert_eq!(code, Some(0), "{stderr}");
    let said = "note: this runs on the CPU; no GPU answered, though there is /dev/nvidia0: install";
    assert!(stderr.starts_with(said) && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("NVIDIA_DRIVER_CAPABILITIES=all"), "{stderr}");
    let (_, stderr) = run(&["devices"]).unwrap();
    assert!(stderr.starts_with(said) && stderr.lines().count() == 1, "{stderr}");
    // Who asks for an adapter gets it without a word.
    let (_, stderr) = run(&["devices", "--adapter", "0"]).unwrap();
    assert_eq!(stderr, "");
}
