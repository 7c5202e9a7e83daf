//! Commands that cannot be: exit code 2 and one line, before anything is read or written.

use super::*;

/// Command lines, each with a part of what is said to it.
const WRONG: &[(&str, &str)] = &[
    // Numbers out of their range.
    ("train --lr NaN", "learning_rate (--lr) = NaN: must be a positive number, as in 1e-3"),
    ("train --lr inf", "learning_rate (--lr) = inf: must be a positive number"),
    ("train --lr 0", "learning_rate (--lr) = 0: must be a positive number"),
    ("train --lr -1", "learning_rate (--lr) = -1: must be a positive number"),
    ("train --lr 1e39", "positive number, as in 1e-3, also as a 32-bit float, in which it is"),
    ("train --lr 1e-50", "also as a 32-bit float, in which it is 0"),
    ("train --lr 1e-39", "also as a 32-bit float, in which it is 0"),
    ("train --lr fast", "'--lr <LR>': must be a positive number, as in 1e-3"),
    (
        "train --epochs 0",
        "'0' for '--epochs <EPOCHS>': must be a whole number from 1 to 4294967295",
    ),
    ("train --epochs -1", "'--epochs <EPOCHS>': must be a whole number from 1 to 4294967295"),
    ("train --epochs 4294967296", "'--epochs <EPOCHS>': must be a whole number from 1 to 429"),
    ("train --epochs ten", "'ten' for '--epochs <EPOCHS>': must be a whole number from 1 to"),
    ("train --batch-size 0", "'--batch-size <IMAGES>': must be a whole number from 1 to 16777216"),
    ("train --batch-size -4", "'-4' for '--batch-size"),
    ("train --max-steps 0", "'--max-steps <STEPS>': must be a whole number from 1 to 4294967295"),
    (
        "train --seed 9223372036854775808",
        "'--seed <SEED>': must be a whole number from 0 to 9223372036854775807",
    ),
    ("train --seed -1", "'-1' for '--seed"),
    ("train --save-every -1", "'--save-every <SECONDS>': must be a whole number from 0 to 429"),
    ("train --save-every 1e9", "'--save-every <SECONDS>': must be a whole number from 0 to 429"),
    ("train --white 0", "'0' for '--white <VALUE>': must be a whole number from 1 to 65535"),
    ("train --white -1", "'-1' for '--white <VALUE>': must be a whole number from 1 to 65535"),
    ("train --memory -1", "'--memory <BYTES>': must be a number of bytes, as in 4GB or 512MiB"),
    ("evaluate run --memory much", "'--memory <BYTES>': must be a number of bytes, as in 4GB"),
    ("sample run --count 0", "'--count <COUNT>': must be a whole number from 1 to 65536"),
    ("sample run --count -1", "'--count <COUNT>': must be"),
    ("sample run --count 99999999", "'--count <COUNT>': must be"),
    ("reconstruct run --count 0", "'--count <COUNT>': must be a whole number from 1 to 32768"),
    ("reconstruct run --count -1", "'--count <COUNT>': must be"),
    ("reconstruct run --count 99999999", "'--count <COUNT>': must be"),
    ("plan mlp --dispatch x", "'x' for '--dispatch <N>': must be a whole number from 0 to"),
    ("plan mlp --dispatch -1", "'-1' for '--dispatch <N>': must be a whole number from 0 to"),
    ("plan mlp --dispatch 99", "--dispatch 99: must be from 0 to 12"),
    // Values of other kinds.
    ("train --size 28", "'--size <WxH>': must be WIDTHxHEIGHT, as in 28x28"),
    ("train --size 28x", "'--size <WxH>': must be WIDTHxHEIGHT, as in 28x28"),
    ("train --size big", "'--size <WxH>': must be WIDTHxHEIGHT, as in 28x28"),
    (
        "train --background red",
        "'red' for '--background <COLOUR>': must be white, black or a colour as in #ff8000",
    ),
    (
        "train --tune quik",
        "'--tune <LEVEL>': no level is named `quik`; there are: off, quick, full",
    ),
    ("train --tune quik", "; did you mean `quick`?"),
    ("train --backend cuda", "no backend is named `cuda`; there are: vulkan, metal, dx12, gl"),
    ("train --backend vulcan", "gl; did you mean `vulkan`?"),
    ("train --preset mpl", "no preset is named `mpl`; there are: mlp, mlp-deep, mlp-2d, mlp-mse"),
    ("train --preset covn", "hierarchical; did you mean `conv`?"),
    ("presets mpl", "no preset is named `mpl`; there are: mlp, mlp-deep"),
    ("presets mpl", "; did you mean `mlp`?"),
    ("bench matmull", "; did you mean `matmul"),
    ("sample run --out a.jpg", "--out a.jpg: must end in .png"),
    ("sample run --out png", "--out png: must end in .png"),
    ("reconstruct run --out a.jpg", "--out a.jpg: must end in .png"),
    ("reconstruct run --out png", "--out png: must end in .png"),
    // Values that do not suit the dataset.
    ("train --size 8x8", "size (--size) = 8x8: is for image folders, not for the built-in digits"),
    ("train --channels 1", "channels (--channels) = 1: is for image folders, not for the built-in"),
    ("train --data pngs --hold-out 1.5", "(--hold-out) = 1.5: must lie between 0 and 1, as in 0.2"),
    ("train --data pngs --hold-out -1", "(--hold-out) = -1: must lie between 0 and 1, as in 0.2"),
    ("train --data pngs --hold-out NaN", "(--hold-out) = NaN: must lie between 0 and 1, as in"),
    ("train --data pngs --hold-out few", "'--hold-out <FRACTION>': must lie between 0 and 1"),
    // Its older name.
    ("train --data pngs --validation 2", "(--hold-out) = 2: must lie between 0 and 1, as in 0.2"),
    ("train --data idx --hold-out 0.2", "the dataset idx has a test split already; leave it"),
    (
        "train --data pngs --size 0x8",
        "size (--size) = 0x8: both sides must lie between 1 and 65535",
    ),
    ("train --data idx --size 4x4", "size (--size) = 4x4: is for folders of image files"),
    ("train --data pngs --channels 2", "'--channels <1|3>': must be 1 or 3"),
    ("train --data idx --channels 3", "channels (--channels) = 3: is for folders of image files"),
    // Commands and flags that are none, are missing or exclude one another.
    ("learn", "unrecognized subcommand 'learn' (--help"),
    ("trian", "subcommand 'trian'; did you mean `train`? (--help"),
    ("train idx", "unexpected argument 'idx' found (--help"),
    ("train --xyz red", "unexpected argument '--xyz' found (--help"),
    ("train --epoch 3", "unexpected argument '--epoch' found; did you mean `--epochs`? (--help"),
    ("sample", "were not provided: <RUN> (--help"),
    ("train --overwrite", "were not provided: --out <RUN>"),
    ("train --preset mlp --config tiny.toml", "'--preset <NAME>' cannot be used with '--config"),
    ("train --resume run --preset mlp", "'--resume <RUN>' cannot be used with '--preset <"),
    ("train --resume run --config tiny.toml", "'--resume <RUN>' cannot be used with '--config <"),
    ("train --resume run --batch-size 8", "'--resume <RUN>' cannot be used with '--batch-size <"),
    ("train --resume run --seed 2", "'--resume <RUN>' cannot be used with '--seed <"),
    ("train --resume run --hold-out 0.5", "'--resume <RUN>' cannot be used with '--hold-out <"),
    ("train --resume run --size 8x8", "'--resume <RUN>' cannot be used with '--size <"),
    ("train --resume run --channels 1", "'--resume <RUN>' cannot be used with '--channels <"),
    ("train --resume run --out other", "'--resume <RUN>' cannot be used with '--out <"),
];

#[test]
fn a_command_that_cannot_be_is_told_what_is_wrong() {
    let place = Place::new();
    place.write("pngs/a.png", png(8, 8, 1));
    place.write("pngs/b.png", png(8, 8, 2));
    for (line, message) in WRONG {
        let args: Vec<_> = line.split(' ').collect();
        place.fails(&args, 2, &[message]);
        // Nor does it begin where it was told to.
        if args[0] == "train" && !args.contains(&"--resume") && !args.contains(&"--overwrite") {
            place.fails(&[&args[..], &["--out", "run"]].concat(), 2, &[message]);
        }
    }
    place.fails(&["inspect", "resdiual"], 1, &["; did you mean `residual`?"]);
}

/// What the environment says wrong is no flag's fault, and a flag goes before it.
#[test]
fn a_variable_that_cannot_be_is_named() {
    let Some(place) = place_with_adapter() else { return };
    let run = |more: &[&str]| {
        let args = ["train", "--config", "tiny.toml", "--max-steps", "1", "--out", "run"];
        let mut command = place.command(&[&args[..], more].concat());
        Ran::from(command.env("VAE_GPU_TUNE", "quik").output().unwrap())
    };
    let message = "error: VAE_GPU_TUNE: no level is named `quik`; there are: off, quick, full";
    run(&[]).failed(2, &[message, "; did you mean `quick`?"]);
    assert!(!place.path("run").exists());
    let Ran { code, stderr, .. } = run(&["--tune", "off"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_batch_larger_than_the_data_fails() {
    let Some(place) = place_with_adapter() else { return };
    let message = "--batch-size 65: the dataset idx has only 64 training images";
    let args = ["train", "--data", "idx", "--out", "run", "--batch-size"];
    place.fails(&[&args[..], &["65"]].concat(), 2, &[message]);
    place.fails(&[&args[..], &["16777216"]].concat(), 2, &["only 64 training images"]);
}

#[test]
fn an_unknown_adapter_fails_with_those_there_are() {
    let Some(place) = place_with_adapter() else { return };
    let name = adapter().as_ref().unwrap()["name"].as_str().unwrap();
    for wanted in ["Voodoo", "99", "9.9"] {
        let message = format!("--adapter {wanted}: no such adapter; there are: 0 {name}");
        let train = ["train", "--data", "idx", "--out", "run", "--adapter", wanted];
        place.fails(&train, 1, &[&message]);
        place.fails(&["devices", "--adapter", wanted], 1, &[&message]);
    }
}

#[test]
fn without_an_adapter_it_says_how_to_get_one() {
    let place = Place::new();
    let commands: [&[&str]; 2] = [
        &["devices", "--backend", "vulkan"],
        &["train", "--config", "tiny.toml", "--out", "run", "--backend", "vulkan"],
    ];
    for args in commands {
        let mut command = place.command(args);
        command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
        let parts =
            ["no GPU adapter found (looked for vulkan)", "apt-get install mesa-vulkan-drivers"];
        Ran::from(command.output().unwrap()).failed(1, &parts);
        assert!(!place.path("run").exists());
    }
}
