//! Files that are none, empty or from elsewhere, and values of any length: a line each, and no wait.

use std::time::{Duration, Instant};

use super::*;

/// Runs a command that must end within a minute; it is killed if it does not.
#[track_caller]
fn run_in_time(place: &Place, args: &[&str]) -> Ran {
    let mut command = place.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > patience {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ran::from(child.wait_with_output().unwrap())
}

/// Puts a pipe that nobody writes to in the place of a file.
#[cfg(unix)]
fn pipe(place: &Place, name: &str) {
    let _ = fs::remove_file(place.path(name));
    assert!(Command::new("mkfifo").arg(place.path(name)).status().unwrap().success());
}

#[test]
#[cfg(unix)]
fn a_pipe_is_no_file_and_is_not_waited_for() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &[]);
    place.copy_run("run", "kept");
    place.write("pngs/a.png", png(8, 8, 1));
    place.write("pngs/b.png", png(8, 8, 2));
    let resume = ["train", "--resume", "run", "--epochs", "3"];
    let on = |data| ["train", "--config", "tiny.toml", "--data", data, "--out", "new"];
    let cases: [(&str, &[&str]); 12] = [
        ("pipe.toml", &["train", "--config", "pipe.toml", "--out", "new"]),
        ("pipe.toml", &["inspect", "pipe.toml"]),
        ("model.safetensors", &["sample", "model.safetensors"]),
        ("run/model.safetensors", &["evaluate", "run"]),
        ("run/config.toml", &["evaluate", "run"]),
        ("run/config.toml", &resume),
        ("run/metrics.jsonl", &resume),
        ("run/checkpoint.safetensors", &resume),
        ("pngs/b.png", &on("pngs")),
        ("idx/t10k-images-idx3-ubyte", &on("idx")),
        ("idx/train-images-idx3-ubyte", &on("idx/train-images-idx3-ubyte")),
        ("data", &on("data")),
    ];
    for (file, args) in cases {
        pipe(&place, file);
        let ran = run_in_time(&place, args);
        ran.failed(1, &[file]);
        let part = if file == "data" { "is not a folder" } else { "it is a pipe, and no file" };
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert!(!place.path("new").exists());
        if let Some(name) = file.strip_prefix("run/") {
            fs::remove_file(place.path(file)).unwrap();
            place.write(file, place.read(&format!("kept/{name}")));
        }
    }
    // A command that only asks the checkpoint how far the model was trained does without.
    pipe(&place, "run/checkpoint.safetensors");
    let sampled = run_in_time(&place, &["sample", "run", "--out", "out.png"]);
    assert_eq!((sampled.code, sampled.stderr.as_str()), (Some(0), ""));
    run_in_time(&place, &["train", "--config", "/dev/zero"]).failed(1, &["/dev/zero", "a device"]);
    run_in_time(&place, &["train", "--config", "pngs"]).failed(1, &["pngs", "it is a folder"]);
    let socket = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    run_in_time(&place, &["sample", "socket"]).failed(1, &["error: socket: ", "it is a socket"]);
    drop(socket);
}

#[test]
fn an_empty_configuration_is_no_default() {
    let Some(place) = place_with_adapter() else { return };
    for text in ["", "\n", " \n\t\n"] {
        place.write("empty.toml", text);
        for args in
            [&["train", "--config", "empty.toml", "--out", "new"][..], &["inspect", "empty.toml"]]
        {
            place.fails(args, 2, &["error: empty.toml:1: the file is empty; "]);
        }
    }
    place.train("run", &[]);
    place.copy_run("run", "kept");
    let whole = place.text("run/config.toml");
    let table = |name: &str| whole.find(name).unwrap();
    for (text, part) in [
        ("", "config.toml:1: the file is empty"),
        (&whole[..table("[train]")], "config.toml is cut short: it has no `train`"),
        (&whole[..table("[data]")], "config.toml is cut short: it has no `data.path`"),
        (&whole[..table("[data]") + 7], "config.toml is cut short: it has no `data.path`"),
    ] {
        place.write("run/config.toml", text);
        for args in of_run() {
            place.fails(args, 1, &["error: run: is damaged: ", part]);
        }
    }
}

/// Commands that read the configuration of the run `run`.
fn of_run() -> [&'static [&'static str]; 5] {
    [
        &["train", "--resume", "run", "--epochs", "3"],
        &["evaluate", "run"],
        &["reconstruct", "run", "--out", "out.png"],
        &["inspect", "run"],
        &["plan", "run"],
    ]
}

#[test]
fn a_damaged_configuration_of_a_run_is_no_mistake_in_the_command() {
    let Some(place) = place_with_adapter() else { return };
    place.write("half/train-images-idx3-ubyte", idx(64, 8, 8));
    place.train("run", &["--hold-out", "0.25", "--data", "half"]);
    place.copy_run("run", "kept");
    let [resume, evaluate, reconstruct, inspect, plan] = of_run();
    for (from, to, part, commands) in [
        ("latent = 2", "latent = 0", "latent = 0: must be 1 to", &of_run()[..]),
        ("latent = 2", "latent = ", "config.toml:2: ", &of_run()),
        ("hold_out = 0.25", "hold_out = 9.25", "9.25: ", &[resume, evaluate, reconstruct]),
        ("hold_out = 0.25", "channels = 3", "channels", &[resume, evaluate, reconstruct]),
        ("linear = \"image\"", "linear = 63", "ends in 63", &[resume, inspect, plan]),
    ] {
        place.edit("run/config.toml", from, to);
        for command in commands {
            place.fails(command, 1, &["error: run", "is damaged", part]);
        }
        place.copy_run("kept", "run");
    }
    // What is a mistake in the command stays one.
    place.fails(&["train", "--resume", "run", "--epochs", "0"], 2, &["epochs"]);
    place.fails(&["evaluate", "run", "--channels", "3"], 2, &["channels"]);
}

#[test]
fn what_a_killed_program_left_in_the_cache_is_cleared_away() {
    let Some(place) = place_with_adapter() else { return };
    let hours = |hours: u64| std::time::SystemTime::now() - Duration::from_secs(3600 * hours);
    for (name, age) in [(".vae-gpu-aBcDeF", 2), (".vae-gpu-fresh1", 0), ("mine.txt", 9)] {
        place.write(&format!("cache/{name}"), "half");
        let file = fs::File::options().write(true).open(place.path(format!("cache/{name}")));
        file.unwrap().set_modified(hours(age)).unwrap();
    }
    let mut command = place.command(&["train", "--config", "tiny.toml", "--out", "run"]);
    command.env("VAE_GPU_CACHE", place.path("cache")).env("VAE_GPU_TUNE", "quick");
    assert_eq!(Ran::from(command.output().unwrap()).code, Some(0));
    let left = names(place.path("cache"));
    let has = |name: &str| left.iter().any(|left| left == name);
    assert!(!has(".vae-gpu-aBcDeF"), "{left:?}");
    assert!(has(".vae-gpu-fresh1") && has("mine.txt"), "{left:?}");
}

/// The reasons of libraries are in words, too.
#[test]
fn a_damaged_picture_is_told_without_the_notation_of_rust() {
    let place = Place::new();
    let whole = png(8, 8, 1);
    for at in [20, 50, whole.len() - 20] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        place.write("pngs/a.png", bytes);
        let args = ["train", "--data", "pngs", "--out", "run"];
        place.fails(&args, 1, &["pngs/a.png: "]);
        let said = place.run(&args).stderr;
        assert!(!said.contains(['{', '}']), "{said}");
    }
}

/// What a user gave may be of any length and hold any character; a message is still a line to read.
#[test]
fn messages_are_lines_that_can_be_read() {
    let place = Place::new();
    let long = |text: &str| text.repeat(4000 / text.len());
    let toml = |text: String| {
        place.write("long.toml", text);
        ["inspect", "long.toml"].map(String::from).to_vec()
    };
    let args = |args: &[&str]| args.iter().map(|arg| arg.to_string()).collect::<Vec<_>>();
    let (digits, words) = (long("9"), long("no such "));
    for args in [
        args(&["train", "--epochs", &digits]),
        args(&["train", "--lr", &digits]),
        args(&["train", "--lr", &words]),
        args(&["train", "--seed", &words]),
        args(&["train", "--size", &digits]),
        args(&["train", "--preset", &words]),
        args(&["train", "--preset", "a\nb\u{1b}[31m"]),
        args(&["presets", &words]),
        args(&[&words]),
        args(&["train", &format!("--{}", long("bogus"))]),
        args(&["sample", &long("deep/")]),
        args(&["bench", &words]),
        args(&["devices", "--adapter", &words]),
        toml(format!("[train]\nepochs = {digits}\n")),
        toml(format!("[train]\nlearning_rate = 1e{}\n", long("1"))),
        toml(format!("[train]\nlearning_rate = -{}.0\n", &digits[..300])),
        toml(format!("[train]\nbatch_size = \"{words}\"\n")),
        toml(format!("[model]\nlikelihood = \"{words}\"\n")),
        toml(format!("[model]\nencoder = [\"{words}\"]\n")),
        toml(format!("[model]\nencoder = [{{ linear = \"{words}\" }}]\n")),
        toml(format!("[model]\n\"{words}\" = 1\n")),
        toml(format!("{words}\n")),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ran = place.run(&args);
        let Ran { code, stderr, .. } = &ran;
        let said = &args[..2.min(args.len())];
        assert!(matches!(code, Some(1 | 2)), "{code:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.chars().count() <= 1300, "{said:.20?}: {} characters", stderr.len());
        assert!(!stderr.trim_end().contains(|c: char| c.is_control()), "{stderr:?}");
        for word in stderr.split_whitespace() {
            assert!(word.chars().count() <= 420, "{word}");
        }
        for debug in ["Os {", "InvalidDigit", "Error(", "kind:", "Some("] {
            assert!(!stderr.contains(debug), "{stderr}");
        }
    }
}
