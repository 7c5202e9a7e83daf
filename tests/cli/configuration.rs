//! Configuration files that cannot be: file, line and key, and exit code 2, before anything is written.

use super::*;

#[test]
fn a_configuration_that_cannot_be_names_file_and_key() {
    let place = Place::new();
    for (toml, message) in [
        ("[model]\nlatent = 0", "bad.toml: latent = 0: must be"),
        (
            "[model]\nlatent = -1",
            "bad.toml:2: model.latent: invalid value: integer `-1`, expected a whole number from 1 to 65535",
        ),
        ("[model]\nlatent = \"two\"", "bad.toml:2: model.latent: invalid type"),
        ("[model]\nlatent =", "bad.toml:2: "),
        ("[model]\nlatant = 2", "`, `levels`; did you mean `latent`?"),
        ("\n\n[mode]", "bad.toml:3: unknown field `mode`, expected one of `model`"),
        ("[train]\nepoch = 3", "; did you mean `epochs`?"),
        ("[model]\nencoder = [{ linaer = 3 }]", "; did you mean `linear`?"),
        ("[model]\nencoder = [\"rulu\"]", "; did you mean `relu`?"),
        (
            "[model]\nencoder = [{ conv2d = 3, kernal = 2 }]",
            "only kernel, stride, padding; did you mean `kernel`?",
        ),
        (
            "[train]\nepochs = 5000000000",
            "bad.toml:2: train.epochs: invalid value: integer `5000000000`, expected a whole number from 1 to 4294967295",
        ),
        ("[model]\nencoder = [16]", "bad.toml:2: "),
        ("[model]\nencoder = [{ linear = 18446744073709551615 }]", "bad.toml"),
        (
            "[model]\nencoder = [{ linear = 4 }, \"rulu\"]",
            "bad.toml: encoder.1 (rulu), layer 2 of 2: there is no such layer; there are linear, ",
        ),
        (
            "[model]\nencoder = [{ relu = 3 }]",
            "bad.toml: encoder.0 (relu 3), layer 1 of 1: takes no",
        ),
        (
            "[model]\nencoder = [{ linear = 3, kernel = 2 }]",
            "encoder.0 (linear 3 kernel=2), layer 1 of 1: takes no option `kernel`",
        ),
        (
            "[model]\nencoder = [{ conv2d = 3, width = 2 }]",
            "layer 1 of 1: takes no option `width`, only kernel, stride, padding",
        ),
        ("[model]\nlatent = 4000000000000", "bad.toml: latent = 4000000000000: must be"),
        (
            "[model]\ndecoder = [\"sigmoid\"]",
            "bad.toml: decoder: its last layer is \"sigmoid\": this likelihood takes logits: leave",
        ),
        ("[model]\nfree_bits = -1", "bad.toml: free_bits = -1: must be a number from 0 up"),
        (
            "[model]\nkl_schedule = { ramp = 1 }",
            "bad.toml:2: model.kl_schedule: must be one of { warmup = 3 }, { cyclical = { cycles = 4",
        ),
        (
            "[model]\nkl_schedule = { cyclical = { cycles = 0, ramp = 1 } }",
            "bad.toml: kl_schedule.cyclical.cycles = 0: must be at least 1",
        ),
        (
            "[model]\ncorruption = { masking = 2 }",
            "bad.toml: corruption.masking = 2: must be a share",
        ),
        (
            "[model]\nvariational = false\nfree_bits = 1",
            "bad.toml: variational = false: has no KL divergence: leave out kl_schedule",
        ),
        ("[model]\nkl_weight = -1", "bad.toml: kl_weight = -1: must be a number from 0 up"),
        (
            "[model]\nkl_weight = 1e-50",
            "kl_weight = 1e-50: must be a number from 0 up, also as a 32-bit",
        ),
        (
            "[model]\nkl_weight = 1e39",
            "kl_weight = 1e39: must be a number from 0 up, also as a 32-bit",
        ),
        (
            "[train]\nclip_norm = 1e39",
            "clip_norm = 1e39: must be a positive number, also as a 32-bit",
        ),
        (
            "[train]\noptimizer = { name = \"sgd\", momentum = 0.9999999999 }",
            "optimizer.momentum = 0.9999999999: must be from 0 to less than 1, also as a 32-bit float, \
             in which it is 1",
        ),
        ("[model]\nkl_weight = inf", "bad.toml: kl_weight = inf: must be a number from 0 up"),
        (
            "[train]\nlearning_rate = nan",
            "bad.toml: learning_rate (--lr) = NaN: must be a positive",
        ),
        (
            "[train]\nepochs = 0",
            "bad.toml: epochs (--epochs) = 0: must be a whole number from 1 to 4294967295",
        ),
        (
            "[train]\nbatch_size = 0",
            "bad.toml: batch_size (--batch-size) = 0: must be a whole number from 1 to 16777216",
        ),
        ("[train]\nseed = -1", "bad.toml:2: train.seed: invalid value: integer `-1`"),
        ("[data]\nsize = [8]", "bad.toml:2: data.size: must be [width, height]"),
        (
            "[train]\n\n[train.optimizer]\nname = \"adma\"",
            "bad.toml:4: train.optimizer.name: unknown variant `adma`, expected one of `sgd`, `rmsprop`, `adagrad`, ",
        ),
        (
            "[train.optimizer]\nname = \"adam\"\nnesterov = true",
            "bad.toml:1: train.optimizer: unknown field `nesterov`, expected one of `beta1`, `beta2`, `epsilon`, ",
        ),
        ("[train]\noptimizer.momentum = 0.9", "bad.toml:2: train.optimizer: missing field `name`"),
        (
            "[train]\noptimizer = \"adma\"",
            "bad.toml:2: train.optimizer: unknown variant `adma`, expected one of `sgd`, `rmsprop`, `adagrad`, `adam`, `adamw`; did you mean `adam`?",
        ),
        ("[train]\nschedule = \"step\"", "bad.toml:2: train.schedule: missing field `every`"),
        (
            "[train]\noptimizer = 3",
            "bad.toml:2: train.optimizer: invalid type: integer `3`, expected a name in quotes, or a table",
        ),
        (
            "[train]\noptimizer = { name = \"sgd\", momentum = \"much\" }",
            "bad.toml:2: train.optimizer: invalid type: string \"much\", expected a number",
        ),
        (
            "[train]\noptimizer = { name = \"sgd\", momentum = 1 }",
            "bad.toml: optimizer.momentum = 1: must be from 0 to less than 1",
        ),
        (
            "[train]\noptimizer = { name = \"sgd\", nesterov = true }",
            "bad.toml: optimizer.nesterov = true: needs a momentum above 0",
        ),
        (
            "[train]\noptimizer = { name = \"adamw\", weight_decay = -1 }",
            "bad.toml: optimizer.weight_decay = -1: must be a number from 0 up",
        ),
        (
            "[train]\noptimizer = { name = \"adagrad\", epsilon = 0 }",
            "bad.toml: optimizer.epsilon = 0: must be a positive number",
        ),
        (
            "[train]\noptimizer = { name = \"rmsprop\", alpha = nan }",
            "bad.toml: optimizer.alpha = NaN: must be from 0 to less than 1",
        ),
        (
            "[train]\nschedule = { name = \"linear\" }",
            "bad.toml:2: train.schedule.name: unknown variant `linear`, expected one of `constant`, `cosine`, `step`, ",
        ),
        (
            "[train]\nschedule = { name = \"constant\", factor = 0.1 }",
            "bad.toml:2: train.schedule: unknown field `factor`",
        ),
        ("[model]\nkl_weight = -1e300", "bad.toml: kl_weight = -1e300: must be"),
        ("model = 3", "bad.toml:1: model: invalid type: integer `3`, expected a table"),
        ("[model]\nencoder = \"relu\"", "bad.toml:2: model.encoder: invalid type"),
        ("[model]\ncorruption = 0.4", "bad.toml:2: model.corruption: must be { gaussian = 0.4 }"),
        (
            "[model]\ndecoder = [{ linear = 784 }, \"sigmoid\", { reshape = [1, 28, 28] }]",
            "bad.toml: decoder: its last layer is \"sigmoid\": this likelihood takes logits: leave",
        ),
        (
            "[train]\nschedule = { name = \"step\" }",
            "bad.toml:2: train.schedule: missing field `every`",
        ),
        (
            "[train]\nschedule = { name = \"step\", every = 0 }",
            "bad.toml: schedule.every = 0: must be at least 1",
        ),
        (
            "[train]\nschedule = { name = \"exponential\", factor = 1.5 }",
            "bad.toml: schedule.factor = 1.5: must be more than 0 and at most 1",
        ),
        (
            "[train]\nschedule = { name = \"cosine\", minimum = 0.1 }",
            "bad.toml: schedule.minimum = 0.1: must be at most the learning rate, 0.001",
        ),
        ("[train]\nwarmup_epochs = -1", "bad.toml: warmup_epochs = -1: must be a number from 0 up"),
        (
            "[train]\nwarmup_start = 0",
            "bad.toml: warmup_start = 0: must be more than 0 and at most 1",
        ),
        ("[train]\nclip_norm = 0", "bad.toml: clip_norm = 0: must be a positive number"),
    ] {
        place.write("bad.toml", toml);
        place.fails(&["train", "--config", "bad.toml", "--out", "run"], 2, &[message]);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_names_the_file() {
    let place = Place::new();
    place.write("latin1.toml", b"# \xe9\n");
    for (file, message) in [
        ("absent.toml", "absent.toml: cannot read: No such file"),
        ("idx", "idx: cannot read: "),
        ("latin1.toml", "latin1.toml: cannot read: "),
    ] {
        place.fails(&["train", "--config", file, "--out", "run"], 1, &[message]);
    }
}
