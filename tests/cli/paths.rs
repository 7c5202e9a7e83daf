//! Paths and texts as shells, editors and other systems write them.

use super::*;

#[test]
fn a_relative_path_is_relative_to_its_configuration() {
    let Some(place) = place_with_adapter() else { return };
    place.write("deep/er/conf.toml", TINY);
    fs::rename(place.path("idx"), place.path("deep/er/idx")).unwrap();
    let args = ["train", "--config", "deep/er/conf.toml", "--epochs", "1", "--out", "run"];
    place.ok(&args);
    place.ok(&["inspect", "deep/er/conf.toml"]);
    // The run names its dataset wherever it is used from.
    place.ok(&["evaluate", "run"]);
    place.ok(&["train", "--resume", "run", "--epochs", "2"]);
    fs::rename(place.path("deep/er/idx"), place.path("idx")).unwrap();
    let args = ["train", "--config", "deep/er/conf.toml", "--out", "other"];
    place.fails(&args, 1, &["deep/er/idx: cannot read the dataset: No such file"]);
    place.edit("deep/er/conf.toml", "\"idx\"", "\"../../idx\"");
    place.ok(&args);
    // A flag is the shell's, and relative to the current folder.
    place.edit("deep/er/conf.toml", "\"../../idx\"", "\"gone\"");
    place.ok(&["train", "--config", "deep/er/conf.toml", "--data", "idx", "--out", "third"]);
}

#[cfg(unix)]
#[test]
fn a_tilde_is_the_home_folder() {
    let Some(place) = place_with_adapter() else { return };
    fs::create_dir(place.path("home")).unwrap();
    fs::rename(place.path("idx"), place.path("home/idx")).unwrap();
    let run = |args: &[&str]| {
        let mut command = place.command(args);
        Ran::from(command.env("HOME", place.path("home")).output().unwrap())
    };
    place.edit("tiny.toml", "\"idx\"", "\"~/idx\"");
    for args in [
        &["train", "--config", "tiny.toml", "--epochs", "1", "--out=~/runs/a"][..],
        &["train", "--data=~/idx", "--batch-size", "16", "--max-steps", "1", "--out=~/runs/b"],
        &["train", "--resume=~/runs/a", "--epochs", "2"],
        &["evaluate", "~/runs/a", "--data=~/idx"],
        &["sample", "~/runs/a", "--out=~/pictures/a.png"],
        &["inspect", "~/runs/a/model.safetensors"],
    ] {
        let Ran { code, stderr, .. } = run(args);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    assert_eq!(names(place.path("")), ["home", "tiny.toml"]);
    assert_eq!(names(place.path("home")), ["idx", "pictures", "runs"]);
}

/// PowerShell's `>` writes UTF-16.
#[test]
fn a_configuration_in_utf16_is_read() {
    let place = Place::new();
    let printed = place.ok(&["presets", "conv"]);
    let plain = place.ok(&["inspect", "conv"]);
    let marked: Vec<u16> = format!("\u{feff}{printed}").encode_utf16().collect();
    let bytes = |word: fn(u16) -> [u8; 2]| marked.iter().flat_map(|w| word(*w)).collect::<Vec<_>>();
    place.write("little.toml", bytes(u16::to_le_bytes));
    place.write("big.toml", bytes(u16::to_be_bytes));
    place.write("marked.toml", format!("\u{feff}{printed}"));
    for file in ["little.toml", "big.toml", "marked.toml"] {
        assert_eq!(place.ok(&["inspect", file]), plain, "{file}");
    }
    // Its lines are counted all the same.
    let wrong = "\u{feff}[model]\r\nlatent = 0.5\r\n";
    place.write("wrong.toml", wrong.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    place.fails(&["inspect", "wrong.toml"], 2, &["wrong.toml:2: model.latent: invalid type"]);
}

/// As a shell's `<(command)` and `command |` hand it over.
#[cfg(unix)]
#[test]
fn a_configuration_comes_by_a_pipe_that_a_shell_opened() {
    let Some(place) = place_with_adapter() else { return };
    let program = env!("CARGO_BIN_EXE_vae-gpu");
    let bash = |script: String| {
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]);
        place.prepare(&mut shell);
        shell.output().ok().map(Ran::from)
    };
    let train = "train --config <(sleep 0.2; cat tiny.toml) --epochs 1";
    let Some(Ran { code, stderr, .. }) = bash(format!("'{program}' {train}")) else {
        return skip("there is no bash");
    };
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    // Its relative paths are the shell's, and the run is not named after a number.
    assert_eq!(names(place.path("runs")), ["config-idx"]);
    let plain = place.ok(&["inspect", "tiny.toml"]);
    for script in ["inspect <(cat tiny.toml)", "inspect /dev/stdin < tiny.toml"] {
        assert_eq!(bash(format!("'{program}' {script}")).unwrap().stdout, plain, "{script}");
    }
    let ran = bash(format!("cat tiny.toml | '{program}' inspect /dev/stdin"));
    assert_eq!(ran.unwrap().stdout, plain);
    // A model and a dataset are read more than once.
    for script in ["sample <(cat runs/config-idx/model.safetensors)", "train --data <(cat idx/*)"] {
        let Ran { code, stderr, .. } = bash(format!("'{program}' {script} --out new.png")).unwrap();
        assert_eq!(code, Some(1), "{script}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("error: /"), "{script}: {stderr}");
    }
}

#[test]
fn other_encodings_are_named_with_what_to_do() {
    let place = Place::new();
    let utf32: Vec<u8> = "\u{feff}[model]".chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    let unmarked: Vec<u8> = "[model]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, message) in [
        (utf32, "bad.toml: cannot read: it is UTF-32; save it as UTF-8"),
        (unmarked, "bad.toml: cannot read: it is no text, or UTF-16 without a byte-order mark"),
        (
            b"[model]\n# gr\xf6sser\n".to_vec(),
            "line 2 is not UTF-8: its byte 0xf6 would be ö in Latin-1",
        ),
        (b"\xff\xfea".to_vec(), "bad.toml: cannot read: it begins as UTF-16LE and is damaged"),
    ] {
        place.write("bad.toml", bytes);
        place.fails(&["train", "--config", "bad.toml", "--out", "run"], 1, &[message]);
    }
}

#[test]
fn typographic_characters_are_named() {
    let place = Place::new();
    for (toml, parts) in [
        (
            "[train]\noptimizer = “adam”",
            ["bad.toml:2: ", "quote “ (U+201C) is in this line: write \" for"],
        ),
        (
            "[model]\nlikelihood = ‘bernoulli’",
            ["bad.toml:2: ", "quote ‘ (U+2018) is in this line: write '"],
        ),
        (
            "[model]\nlatent\u{a0}= 2",
            ["bad.toml:2: ", "(U+00A0) is in this line: write a plain space for it"],
        ),
        (
            "[model]\nkl_weight = −1",
            ["bad.toml:2: ", "dash − (U+2212) is in this line: write - for it"],
        ),
        (
            "[model]\nlatent = 2\u{200b}",
            ["bad.toml:2: ", "an invisible character (U+200B) is in this line"],
        ),
    ] {
        place.write("bad.toml", toml);
        place.fails(&["train", "--config", "bad.toml", "--out", "run"], 2, &parts);
    }
    // Where they belong they are nothing to remark on.
    place.write("good.toml", "# “quoted” – and so on\n[model]\nlatent = 2\n");
    place.ok(&["inspect", "good.toml"]);
}

#[test]
fn an_empty_variable_means_the_default() {
    let Some(place) = place_with_adapter() else { return };
    let args = ["train", "--config", "tiny.toml", "--max-steps", "1", "--out", "run"];
    let mut command = place.command(&args);
    for name in ["VAE_GPU_TUNE", "VAE_GPU_CACHE", "RUST_LOG", "WGPU_VALIDATION", "XDG_RUNTIME_DIR"]
    {
        command.env(name, "");
    }
    command.env("XDG_CACHE_HOME", place.path("caches"));
    let ran = Ran::from(command.output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // The cache is where it is by default, and tuning was quick, which is the default.
    let kept = names(place.path("caches/vae-gpu"));
    assert!(kept.iter().any(|name| name.to_str().unwrap().contains("tun")), "{kept:?}");
}

/// Names that are no UTF-8, as older systems left them.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf8_work() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(place) = place_with_adapter() else { return };
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    fs::rename(place.path("idx"), place.path(name(b"d\xe9j\xe0"))).unwrap();
    fs::rename(place.path("tiny.toml"), place.path(name(b"t\xefny.toml"))).unwrap();
    let run = |args: &[&OsStr]| {
        let mut command = place.command(&[]);
        let Ran { code, stdout, stderr } = Ran::from(command.args(args).output().unwrap());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
        stdout
    };
    let [train, config, data, out] = ["train", "--config", "--data", "--out"].map(OsStr::new);
    let (toml, photos, folder) = (name(b"t\xefny.toml"), name(b"d\xe9j\xe0"), name(b"r\xfcn it's"));
    let printed = run(&[train, config, toml, data, photos, out, folder]);
    let evaluate = run(&[OsStr::new("evaluate"), folder]);
    assert!(evaluate.contains("32  test split"), "{evaluate}");
    run(&[train, OsStr::new("--resume"), folder, OsStr::new("--epochs"), OsStr::new("3")]);
    let command = printed.lines().find_map(|line| line.strip_prefix("more images: "));
    let command = command.expect("a command");
    assert!(command.contains(r" sample $'r\xfcn it\'s' --count"), "{command}");
    let mut shell = Command::new("bash");
    shell.args(["-c", command]);
    place.prepare(&mut shell);
    let Ok(output) = shell.output() else { return skip("there is no bash") };
    let ran = Ran::from(output);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
    // Without --out, a folder is named after them.
    run(&[train, config, toml, data, photos]);
    assert_eq!(names(place.path("runs")).len(), 1);
    run(&[OsStr::new("sample"), folder, out, name(b"\xe9.png")]);
    assert!(place.path(name(b"\xe9.png")).exists());
}
