//! Training as it should go.

use serde_json::Value;

use super::*;

/// The lines of a run's metrics.
pub fn metrics(place: &Place, run: &str) -> Vec<Value> {
    let text = place.text(&format!("{run}/metrics.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
pub fn same_files(place: &Place, a: &str, b: &str, files: &[&str]) {
    for file in files {
        let [a, b] = [a, b].map(|run| format!("{run}/{file}"));
        assert!(place.read(&a) == place.read(&b), "{a} and {b} differ");
    }
}

#[test]
fn a_run_leaves_what_is_documented() {
    let Some(place) = place_with_adapter() else { return };
    let printed = place.train("deep/er/run", &[]);
    assert_eq!(names(place.path("deep/er/run")), RUN_FILES);
    assert!(printed.contains("idx: 64 images to train on, 32 to test, 8x8x1"), "{printed}");
    for file in ["samples.png", "reconstructions.png", "loss.svg", "model.safetensors"] {
        assert!(printed.contains(&format!("\n  {file} ")), "{printed}");
    }
    assert!(printed.contains("\nin deep/er/run\n"), "{printed}");

    let lines = metrics(&place, "deep/er/run");
    assert_eq!(lines.len(), 2);
    for (line, epoch) in lines.iter().zip(1u32..) {
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = "active_units epoch images_per_second kl_weight learning_rate seconds step \
                        test_kl test_loss test_recon train_kl train_loss train_recon unit_kl";
        assert_eq!(keys.join(" "), expected);
        let unit_kl = line["unit_kl"].as_array().unwrap();
        assert_eq!(unit_kl.len(), 2);
        let kl: f64 = unit_kl.iter().map(|kl| kl.as_f64().unwrap()).sum();
        assert!((kl / line["test_kl"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{line}");
        assert_eq!((&line["epoch"], &line["step"]), (&epoch.into(), &(4 * epoch).into()));
        let others = line.as_object().unwrap().iter().filter(|(key, _)| *key != "unit_kl");
        assert!(others.map(|(_, value)| value).all(Value::is_number), "{line}");
    }
    // Ten to a row: a hundred samples; 32 originals in four rows, each above its reconstructions.
    assert_eq!(png_size(place.path("deep/er/run/samples.png")), (102, 102));
    assert_eq!(png_size(place.path("deep/er/run/reconstructions.png")), (102, 82));
    assert!(place.text("deep/er/run/loss.svg").contains("<svg"));
}

#[test]
fn training_helps() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "30", "--lr", "0.01"]);
    let lines = metrics(&place, "run");
    for key in ["train_loss", "test_loss"] {
        let [first, last] = [0, 29].map(|i| lines[i][key].as_f64().unwrap());
        assert!(last < first - 0.5, "{key} went from {first} to {last}");
    }
}

#[test]
fn without_a_test_split_its_losses_are_null() {
    let Some(place) = place_with_adapter() else { return };
    place.write("gz/train-images-idx3-ubyte.gz", gz(&idx(64, 8, 8)));
    let printed = place.train("run", &["--data", "gz"]);
    assert!(printed.contains("gz: 64 images to train on, none to test, 8x8x1"), "{printed}");
    for line in metrics(&place, "run") {
        assert!(["test_loss", "test_recon", "test_kl"].iter().all(|k| line[k].is_null()), "{line}");
        assert!(line["train_loss"].is_number());
    }
}

#[test]
fn images_are_held_out() {
    let Some(place) = place_with_adapter() else { return };
    for i in 0..20 {
        place.write(&format!("pngs/{i:02}.png"), png(10, 8, 12 * i));
    }
    let printed = place.train("run", &["--data", "pngs", "--size", "8x8", "--hold-out", "0.2"]);
    assert!(printed.contains("pngs: 16 images to train on, 4 to test, 8x8x1"), "{printed}");
    assert!(metrics(&place, "run").iter().all(|line| line["test_loss"].is_number()));
    let config = place.text("run/config.toml");
    assert!(config.contains("hold_out = 0.2") && config.contains("size = [8, 8]"), "{config}");
    assert_eq!(png_size(place.path("run/reconstructions.png")), (42, 22));
}

#[test]
fn the_number_of_classes_is_told_and_labels_change_nothing() {
    let Some(place) = place_with_adapter() else { return };
    place.train("plain", &[]);
    let labels: Vec<u8> = (0..64).map(|i| i % 7).collect();
    place.write("idx/train-labels-idx1-ubyte", [&[0, 0, 8, 1, 0, 0, 0, 64], &labels[..]].concat());
    let printed = place.train("labelled", &[]);
    assert!(printed.contains("32 to test, 8x8x1, 7 classes\n"), "{printed}");
    same_files(&place, "plain", "labelled", &["model.safetensors", "checkpoint.safetensors"]);
}

#[test]
fn config_toml_reproduces_the_run() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--seed", "7", "--lr", "0.01", "--batch-size", "20", "--epochs", "1"]);
    let config = place.path("run/config.toml");
    // From another folder, too.
    let elsewhere = Place::new();
    elsewhere.ok(&["train", "--config", config.to_str().unwrap(), "--out", "again"]);
    assert!(place.read("run/model.safetensors") == elsewhere.read("again/model.safetensors"));
    assert_eq!(place.text("run/config.toml"), elsewhere.text("again/config.toml"));
}

#[test]
fn a_seed_decides_the_model() {
    let Some(place) = place_with_adapter() else { return };
    place.train("a", &["--seed", "3"]);
    place.train("b", &["--seed", "3"]);
    same_files(&place, "a", "b", &["model.safetensors", "checkpoint.safetensors", "samples.png"]);
    place.train("b", &["--seed", "4", "--overwrite"]);
    assert!(place.read("a/model.safetensors") != place.read("b/model.safetensors"));
}

#[test]
fn overwriting_leaves_nothing_of_the_older_run() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "3"]);
    // What a program leaves that was killed while saving is part of its run.
    place.write("run/.vae-gpu-unfinished/model.safetensors", "half");
    // And file managers leave notes of their own, which stay.
    place.write("run/.DS_Store", "notes");
    place.train("run", &["--seed", "2", "--overwrite"]);
    place.train("other", &["--seed", "2"]);
    assert_eq!(names(place.path("run"))[0], ".DS_Store");
    assert_eq!(names(place.path("run"))[1..], RUN_FILES);
    assert_eq!(metrics(&place, "run").len(), 2);
    let files = ["checkpoint.safetensors", "config.toml", "model.safetensors", "samples.png"];
    same_files(&place, "run", "other", &files);
}

#[test]
fn without_out_folders_are_numbered() {
    let Some(place) = place_with_adapter() else { return };
    for _ in 0..3 {
        place.ok(&["train", "--config", "tiny.toml", "--epochs", "1"]);
    }
    let short = ["--data", "idx", "--batch-size", "16", "--max-steps", "1"];
    place.ok(&[&["train", "--preset", "mlp-2d"], &short[..]].concat());
    place.ok(&[&["train"], &short[..]].concat());
    let expected = ["mlp-2d-idx", "mlp-idx", "tiny-idx", "tiny-idx-2", "tiny-idx-3"];
    assert_eq!(names(place.path("runs")), expected);
}

#[test]
fn an_empty_folder_will_do() {
    let Some(place) = place_with_adapter() else { return };
    fs::create_dir(place.path("run")).unwrap();
    place.train("run", &["--epochs", "1"]);
    assert_eq!(names(place.path("run")), RUN_FILES);
}

#[test]
fn a_loss_that_explodes_ends_the_run() {
    let Some(place) = place_with_adapter() else { return };
    let args = ["train", "--config", "tiny.toml", "--out", "run", "--lr", "1e30"];
    let mut ran = place.run(&args);
    ran.stdout.clear();
    ran.failed(
        1,
        &["run: the loss is no longer finite (epoch 1", "--lr 1e-2 and --out run --overwrite"],
    );
    // The run before it broke is kept whole.
    assert_eq!(names(place.path("run")), RUN_FILES);
    let sampled = place.run(&["sample", "run"]);
    let note = "note: run: the model has not been trained yet\n";
    assert_eq!((sampled.code, sampled.stderr.as_str()), (Some(0), note));
}

#[test]
fn an_optimizer_or_a_schedule_may_be_a_name_alone() {
    let Some(place) = place_with_adapter() else { return };
    let short = ["--epochs", "1"];
    place.edit("tiny.toml", "epochs = 2", "optimizer = \"rmsprop\"\nschedule = \"cosine\"");
    place.train("names", &short);
    place.edit("tiny.toml", "\"rmsprop\"", "{ name = \"rmsprop\" }");
    place.edit("tiny.toml", "\"cosine\"", "{ name = \"cosine\" }");
    place.train("tables", &short);
    same_files(&place, "names", "tables", &["config.toml", "model.safetensors"]);
    place.edit("tiny.toml", "{ name = \"rmsprop\" }", "\"adam\"");
    place.train("adam", &short);
    assert!(place.read("adam/model.safetensors") != place.read("names/model.safetensors"));
}

/// The program is started by its path here, and is not on the path of a shell.
#[cfg(unix)]
#[test]
fn printed_commands_run_as_printed() {
    let Some(place) = place_with_adapter() else { return };
    let out = "it's a $run";
    let printed = place.train(out, &["--epochs", "1", "--adapter", "0"]);
    let command = printed.lines().find_map(|line| line.strip_prefix("more images: "));
    let command = command.expect("a command").to_string();
    assert!(command.ends_with(" --adapter 0"), "{command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]);
    place.prepare(&mut shell);
    let ran = Ran::from(shell.output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
    assert_eq!(png_size(place.path("samples.png")), (82, 82));
}

#[test]
fn one_of_a_kind_is_no_plural() {
    let Some(place) = place_with_adapter() else { return };
    place.write("one/a.png", png(8, 8, 1));
    place.edit("tiny.toml", "batch_size = 16", "batch_size = 1");
    let printed = place.train("run", &["--data", "one", "--epochs", "1"]);
    assert!(printed.contains("one: 1 image to train on, none to test"), "{printed}");
    let printed = place.ok(&["train", "--resume", "run"]);
    assert!(printed.contains("1 epoch and 1 step are done"), "{printed}");
    let printed = place.ok(&["inspect", "tiny.toml", "--data", "one"]);
    assert!(printed.contains(" 1 image in a step") && printed.contains(" 1 image\n"), "{printed}");
}

/// The last save of a run that goes well at first, and the way on from it.
#[test]
fn a_run_that_breaks_later_goes_on_with_a_smaller_learning_rate() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "1"]);
    let before = place.read("run/model.safetensors");
    let args = ["train", "--resume", "run", "--epochs", "3"];
    let mut ran = place.run(&[&args[..], &["--lr", "1e30"]].concat());
    assert!(ran.stdout.contains("changed  learning_rate = 1e30, before 0.001\n"), "{}", ran.stdout);
    ran.stdout.clear();
    // As a whole it works as printed: the longer run was never saved, and 0.001 has worked.
    let way_on = "go on from its last save, step 4, with --resume run --epochs 3 --lr 1e-3, or";
    ran.failed(1, &["run: the loss is no longer finite (epoch 2", way_on, "--out run --overwrite"]);
    assert!(before == place.read("run/model.safetensors"));
    place.copy_run("run", "other");
    place.ok(&["train", "--resume", "other", "--epochs", "3", "--lr", "1e-3"]);
    assert_eq!(metrics(&place, "other").len(), 3);
    let printed = place.ok(&[&args[..], &["--lr", "1e-4"]].concat());
    assert!(printed.contains("changed  learning_rate = 0.0001, before 0.001\n"), "{printed}");
    assert!(place.text("run/config.toml").contains("learning_rate = 0.0001"));
    assert_eq!(metrics(&place, "run")[2]["learning_rate"], 1e-4);
}

/// One step has a finite loss, and leaves weights that are not: the untrained run is kept.
#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let Some(place) = place_with_adapter() else { return };
    place.write("only/train-images-idx3-ubyte", idx(64, 8, 8));
    place.edit("tiny.toml", "epochs = 2\n", "epochs = 2\noptimizer = { name = \"sgd\" }\n");
    let args = ["train", "--config", "tiny.toml", "--data", "only", "--max-steps", "1"];
    let mut ran = place.run(&[&args[..], &["--out", "run", "--lr", "3e38"]].concat());
    ran.stdout.clear();
    ran.failed(1, &["run: ", "is no longer finite", "--overwrite"]);
    assert_eq!(names(place.path("run")), RUN_FILES);
    assert!(metrics(&place, "run").is_empty());
    let evaluated = place.run(&["evaluate", "run"]);
    assert_eq!(evaluated.code, Some(0), "{}", evaluated.stderr);
    assert!(!evaluated.stdout.contains("NaN"), "{}", evaluated.stdout);
}

/// A model of finite weights whose sums are not: an error of one line, and no picture.
#[test]
fn a_model_whose_outputs_are_not_finite_is_an_error() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "1"]);
    let whole = place.read("run/model.safetensors");
    let huge = common::tensor_file::changed(&whole, |_, tensors| {
        for (_, _, bytes) in tensors.values_mut() {
            let values = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            *bytes = values.flat_map(|value| (1e30 * value).to_le_bytes()).collect();
        }
    });
    place.write("run/model.safetensors", huge);
    place.fails(&["evaluate", "run"], 1, &["run: the loss is not finite"]);
    place.fails(&["evaluate", "run", "--json"], 1, &["run: the loss is not finite"]);
    for command in ["sample", "reconstruct"] {
        place.fails(
            &[command, "run", "--out", "new.png"],
            1,
            &["run: what the model computes is not"],
        );
        assert!(!place.path("new.png").exists());
    }
}

/// A batch size that nobody chose is at most what is there; one that somebody did is refused.
#[test]
fn a_default_batch_shrinks_to_the_images_there_are() {
    let Some(place) = place_with_adapter() else { return };
    for i in 0..6 {
        place.write(&format!("few/{i}.png"), png(8, 8, 40 * i));
    }
    let args = ["train", "--data", "few", "--epochs", "1"];
    let printed = place.ok(&[&args[..], &["--preset", "mlp", "--out", "preset"]].concat());
    assert!(printed.contains("\nbatch    6 images, all that there are to train on\n"), "{printed}");
    assert!(place.text("preset/config.toml").contains("batch_size = 6\n"));
    let held = ["--preset", "mlp-2d", "--hold-out", "0.34", "--out", "held"];
    let printed = place.ok(&[&args[..], &held].concat());
    assert!(printed.contains("\nbatch    4 images, all"), "{printed}");

    let chosen = ["--preset", "mlp", "--batch-size", "128", "--out", "chosen"];
    let message = "--batch-size 128: the dataset few has only 6 training images";
    place.fails(&[&args[..], &chosen].concat(), 2, &[message]);
    let config = ["--config", "tiny.toml", "--out", "config"];
    let message = "--batch-size 16: the dataset few has only 6";
    place.fails(&[&args[..], &config].concat(), 2, &[message]);
    place.edit("tiny.toml", "batch_size = 16\n", "");
    let printed = place.ok(&[&args[..], &config].concat());
    assert!(printed.contains("\nbatch    6 images, all"), "{printed}");
    // It is the run's own from then on.
    let printed = place.ok(&["train", "--resume", "config", "--epochs", "2"]);
    assert!(!printed.contains("\nbatch "), "{printed}");
}

#[test]
fn batch_norm_of_single_images_is_warned_of() {
    let Some(place) = place_with_adapter() else { return };
    place.edit(
        "tiny.toml",
        "encoder = [{ linear = 16 }",
        "encoder = [{ linear = 16 }, \"batch_norm\"",
    );
    let train = |batch: &str| {
        let args = ["train", "--config", "tiny.toml", "--epochs", "1", "--batch-size", batch];
        let ran = place.run(&[&args[..], &["--out", "run", "--overwrite"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr
    };
    let alone = train("1");
    let message = "warning: encoder.1 (batch_norm) learns nothing at a batch size of 1: ";
    assert!(alone.starts_with(message) && alone.lines().count() == 1, "{alone}");
    let last = train("21");
    let message = "warning: encoder.1 (batch_norm) learns nothing from the last image of an epoch";
    assert!(last.starts_with(message) && last.lines().count() == 1, "{last}");
    assert_eq!(train("16"), "");
    // Several samples of an image are several rows of the decoder's.
    let sampled = TINY.replace("latent = 2", "latent = 2\nsamples = 3");
    let norm = "decoder = [{ linear = 16 }, \"batch_norm\"";
    place.write("tiny.toml", sampled.replace("decoder = [{ linear = 16 }", norm));
    assert_eq!(train("1"), "");
}

#[test]
fn a_model_that_was_hardly_trained_says_so() {
    let Some(place) = place_with_adapter() else { return };
    let noted = |args: &[&str]| {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr
    };
    place.train("run", &["--max-steps", "3"]);
    let model = "run/model.safetensors";
    let commands = |run| {
        [
            vec!["sample", run],
            vec!["reconstruct", run, "--data", "idx"],
            vec!["evaluate", run, "--data", "idx"],
        ]
    };
    for (run, args) in
        ["run", model].into_iter().flat_map(|run| commands(run).map(|args| (run, args)))
    {
        let note = "the model has been trained for 3 steps only, less than one epoch";
        assert_eq!(noted(&args), format!("note: {run}: {note}\n"));
    }
    place.ok(&["train", "--resume", "run", "--epochs", "1"]);
    for args in ["run", model].into_iter().flat_map(commands) {
        assert_eq!(noted(&args), "");
    }
    // Of a model alone nobody knows.
    place.write("alone/model.safetensors", place.read(model));
    assert_eq!(noted(&["sample", "alone/model.safetensors"]), "");
}
