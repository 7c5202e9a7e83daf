//! Models layer by layer: what is wrong with one, and what `inspect` says of it.

use super::*;
use crate::common::tensor_file::changed;
use crate::train::metrics;

/// A configuration of these layers.
fn model(encoder: &[&str], decoder: &[&str]) -> String {
    let list = |layers: &[&str]| layers.join(",\n    ");
    format!(
        "[model]\nlatent = 2\nencoder = [\n    {}\n]\ndecoder = [\n    {}\n]\n\n[data]\npath = \
         \"idx\"\n",
        list(encoder),
        list(decoder)
    )
}

const IMAGE: [&str; 1] = ["{ linear = \"image\" }"];

#[test]
fn a_mistake_in_the_14th_of_20_layers_is_named() {
    let place = Place::new();
    let mut layers = ["{ linear = 16 }", "\"relu\""].repeat(10);
    layers[13] = "{ conv2d = 8, kernel = 3 }";
    place.write("deep.toml", model(&layers, &IMAGE));
    let message = "error: deep.toml: encoder.13 (conv2d 8 kernel=3), layer 14 of 20, given 16 \
                   features: takes maps; put { reshape = [channels, height, width] } before it";
    place.fails(&["train", "--config", "deep.toml", "--out", "run"], 2, &[message]);
    place.fails(
        &["inspect", "deep.toml"],
        2,
        &["deep.toml: encoder.13 (conv2d 8 kernel=3), layer 14 of 20, given 16 features"],
    );
    assert!(!place.path("run").exists());
}

#[test]
fn a_layer_that_does_not_fit_says_what_it_is_given_and_what_it_wants() {
    let place = Place::new();
    let conv = "{ conv2d = 4, kernel = 3 }";
    for (encoder, decoder, message) in [
        (
            vec![conv, "{ linear = 3 }"],
            &IMAGE[..],
            "encoder.1 (linear 3), layer 2 of 2, given maps of 4x6x6: takes features; put \"flatten\" before it",
        ),
        (
            vec![conv],
            &IMAGE,
            "encoder: ends in maps of 4x6x6, and the latent variables are computed from features; put \"flatten\" at its end",
        ),
        (vec!["{ conv2d = 4, kernel = 9 }"], &IMAGE, "a kernel of 9 does not fit maps of 8x8"),
        (vec!["{ conv2d = 4 }"], &IMAGE, "`kernel` is missing: write kernel = 3"),
        (
            vec!["{ conv2d = 64, kernel = 16777215, padding = 8388607 }"],
            &IMAGE,
            "wants a weight of 64x4x16777215x16777215 values, more than any adapter holds",
        ),
        (
            vec!["{ conv2d = 4, kernel = 725, padding = 362 }"],
            &IMAGE,
            "a kernel of 725 over 1 channel is too large",
        ),
        (
            vec!["{ conv2d = 4, kernel = 3, stride = 2097152 }"],
            &IMAGE,
            "stride = 2097152: must be below 2097152",
        ),
        (
            vec!["{ conv2d = 4, kernel = 3, stride = [1, 2097152] }"],
            &IMAGE,
            "stride = 1x2097152: must be below 2097152",
        ),
        (vec!["{ upsample = \"image\" }"], &IMAGE, "upsample = \"image\": must be a whole number"),
        (vec!["{ linear = 4.0 }"], &IMAGE, "linear = 4.0: must be a whole number"),
        (vec!["{ residual = [] }"], &IMAGE, "wants at least one layer in it"),
        (
            vec!["{ conv2d = 4, kernel = 0 }"],
            &IMAGE,
            "kernel = 0: must be a whole number from 1 to",
        ),
        (
            vec!["{ conv2d = 4, kernel = 3, padding = -1 }"],
            &IMAGE,
            "padding = -1: must be a whole number from 0",
        ),
        (
            vec!["{ conv2d = 4, kernel = [3] }"],
            &IMAGE,
            "kernel = [3]: must be a whole number from 1 to 16777216, or two of them: [down, across]",
        ),
        (vec!["{ conv2d = 4, kernel = [3, 0] }"], &IMAGE, "kernel = [3, 0]: must be a whole"),
        (vec!["{ max_pool2d = [1, 2, 3] }"], &IMAGE, "max_pool2d = [1, 2, 3]: must be a whole"),
        (
            vec!["{ conv2d = 4, kernel = [3, 11], padding = [0, 1] }"],
            &IMAGE,
            "a kernel of 3x11 does not fit maps of 8x8, padding 0x1",
        ),
        (
            vec!["{ max_pool2d = [4, 2], padding = [2, 2] }"],
            &IMAGE,
            "padding = 2: must be at most half of 4x2",
        ),
        (vec!["{ upsample = [1, 129] }"], &IMAGE, "wants a factor of at most 128"),
        (vec!["{ pixel_shuffle = [1, 2] }"], &IMAGE, "pixel_shuffle = [1, 2]: must be a whole"),
        (
            vec!["{ linear = 4 }"],
            &[
                "{ linear = 4 }",
                "{ reshape = [1, 2, 2] }",
                "{ conv_transpose2d = 1, kernel = 2, stride = [2, 1], output_padding = [0, 1] }",
            ],
            "output_padding = 0x1: must be below the stride, 2x1",
        ),
        (
            vec!["{ max_pool2d = 9 }"],
            &IMAGE,
            "given maps of 1x8x8: wants maps no smaller than a window",
        ),
        (vec!["{ dropout = 1.5 }"], &IMAGE, "wants a probability from 0 up and below 1"),
        (
            vec!["{ residual = [{ linear = 3 }] }"],
            &IMAGE,
            "encoder.0.0 (linear 3), layer 1 of 1, given maps of 1x8x8: takes features",
        ),
        (
            vec!["{ linear = 4 }", "{ residual = [{ linear = 3 }] }"],
            &IMAGE,
            "given 4 features: its layers make 3 of that, and must keep the shape",
        ),
        (
            vec!["{ linear = 4 }"],
            &["{ linear = 60 }", "{ reshape = [4, 4, 4] }"],
            "decoder.1 (reshape [4, 4, 4]), layer 2 of 2, given 60 features: wants 64 features for that",
        ),
        (
            vec!["{ linear = 4 }"],
            &["{ linear = 60 }"],
            "decoder: ends in 60, and the images are 1x8x8 (channels x height x width)",
        ),
        (
            vec!["{ linear = 4 }"],
            &[
                "{ linear = 4 }",
                "{ reshape = [1, 2, 2] }",
                "{ conv_transpose2d = 1, kernel = 2, stride = 2, output_padding = 2 }",
            ],
            "output_padding = 2: must be below the stride, 2",
        ),
        (vec!["{ pixel_shuffle = 2 }"], &IMAGE, "wants a multiple of 4 channels"),
        (vec!["{ upsample = 129 }"], &IMAGE, "wants a factor of at most 128"),
        (
            vec!["{ conv_transpose2d = 9, kernel = 3, stride = 2097151 }"],
            &IMAGE,
            "which is nothing, or too much",
        ),
        (
            vec!["{ width = 3 }"],
            &IMAGE,
            "encoder.0 (width 3), layer 1 of 1: there is no such layer",
        ),
        (vec!["{ conv2d = [4], kernel = 3 }"], &IMAGE, "conv2d = [4]: must be a whole number"),
        (
            vec!["{ conv2d = true, kernel = 3 }"],
            &IMAGE,
            "encoder.0 (conv2d true kernel=3), layer 1 of 1, given maps of 1x8x8: conv2d = true: must be a whole number from 1 to 16777216, or \"image\"",
        ),
        (vec!["3"], &IMAGE, "expected a layer, as in \"relu\" or { linear = 400 }"),
    ] {
        place.write("bad.toml", model(&encoder, decoder));
        place.fails(&["train", "--config", "bad.toml", "--out", "run"], 2, &["bad.toml:", message]);
    }
}

#[test]
fn a_file_that_the_images_do_not_fit_is_named() {
    let place = Place::new();
    place.write("conv.toml", place.ok(&["presets", "conv"]));
    let message = "conv.toml: decoder: ends in 1x28x28, and the images are 1x8x8";
    let train = ["train", "--config", "conv.toml", "--data", "idx", "--out", "run"];
    place.fails(&train, 2, &[message]);
    place.write("rgb.toml", place.ok(&["presets", "conv-rgb"]));
    let message = "rgb.toml: takes images of 32x32x3; name a folder of them with --data";
    place.fails(&["train", "--config", "rgb.toml", "--out", "run"], 2, &[message]);
}

/// Trains for an epoch, into `run`; returns what is said.
fn trained(place: &Place, args: &[&str]) -> String {
    let train = ["train", "--epochs", "1", "--batch-size", "8", "--max-steps", "1", "--overwrite"];
    place.ok(&[&train[..], &["--tune", "off", "--out", "run"], args].concat())
}

#[test]
fn convolutional_presets_are_fitted_to_the_images() {
    let Some(place) = place_with_adapter() else { return };
    place.write("odd/train-images-idx3-ubyte", idx(16, 11, 16));
    for (preset, data, shape, layer) in [
        ("conv", "idx", "8x8x1", "{ reshape = [32, 4, 4] }"),
        ("residual", "idx", "8x8x1", "{ reshape = [32, 8, 8] }"),
        ("conv-rgb", "digits", "28x28x1", "{ reshape = [64, 7, 7] }"),
        ("conv", "odd", "11x16x1", "output_padding = [1, 0] }"),
        ("conv-rgb", "odd", "11x16x1", "kernel = [4, 3]"),
        ("residual", "odd", "11x16x1", "{ conv2d = \"image\", kernel = [3, 2], padding = [1, 0] }"),
    ] {
        let said = trained(&place, &["--preset", preset, "--data", data]);
        let line = format!("preset   {preset} for {shape}\n");
        assert!(said.contains(&line), "{line} is not in {said}");
        let config = place.text("run/config.toml");
        assert!(config.contains(layer) && !config.contains("\nsize"), "{layer} is not in {config}");
        let sampled = place.run(&["sample", "run", "--count", "4"]);
        let note = "note: run: the model has been trained for 1 step only, less than one epoch\n";
        assert_eq!((sampled.code, sampled.stderr.as_str()), (Some(0), note));
    }
    place.ok(&["train", "--resume", "run", "--epochs", "1"]);
}

/// A PNG of one colour.
fn colour(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([value, 40, 255 - value]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn images_in_colour_get_a_convolutional_preset() {
    let Some(place) = place_with_adapter() else { return };
    for i in 0..16u8 {
        place.write(&format!("photos/{i}.png"), colour(20, 13, 16 * i));
        place.write(&format!("grey/{i}.png"), png(12, 12, 16 * i));
        place.write(&format!("sizes/{i}.png"), colour(20 + u32::from(i), 30, 16 * i));
    }
    let said = trained(&place, &["--data", "photos"]);
    let line = "preset   conv-rgb for 20x13x3, since the images are in colour\n";
    assert!(said.contains(line), "{said}");
    let config = place.text("run/config.toml");
    assert!(config.contains("[model.likelihood]\ngaussian = 0.2\n"), "{config}");
    assert!(config.contains("batch_size = 8") && !config.contains("\nsize"), "{config}");
    for (data, more) in [("photos", &["--channels", "1"][..]), ("grey", &[])] {
        let said = trained(&place, &[&["--data", data], more].concat());
        assert!(said.contains("preset   mlp\n"), "{said}");
    }
    // The run's folder is called by the preset that was taken.
    place.ok(&[
        "train",
        "--data",
        "photos",
        "--max-steps",
        "1",
        "--batch-size",
        "8",
        "--tune",
        "off",
    ]);
    assert!(place.path("runs/conv-rgb-photos/model.safetensors").exists());

    // Images of several sizes are resized for a preset that is named, and that is said.
    let said = trained(&place, &["--data", "sizes", "--preset", "conv-rgb"]);
    let line = "preset   conv-rgb for 32x32x3, to which the images are resized (see --size)\n";
    assert!(said.contains(line), "{said}");
    assert!(place.text("run/config.toml").contains("size = [32, 32]"));
    let train = ["train", "--data", "sizes", "--out", "other"];
    place.fails(&train, 1, &["is 20x30", "--size"]);
}

#[test]
fn presets_are_printed_for_images_of_a_shape() {
    let place = Place::new();
    for (args, shape) in [
        (&["conv", "--size", "17x28"][..], "1x28x17"),
        (&["conv", "--size", "64x64", "--channels", "3"], "3x64x64"),
        (&["residual", "--size", "96x33"], "3x33x96"),
        (&["mlp", "--size", "20x30", "--channels", "3"], "3x30x20"),
    ] {
        let text = place.ok(&[&["presets"], args].concat());
        place.write("model.toml", &text);
        let of_file = place.ok(&["inspect", "model.toml"]);
        assert!(of_file.contains(shape), "{shape} is not in {of_file}");
        assert_eq!(place.ok(&[&["inspect"], args].concat()), of_file, "{args:?}");
    }
    let text = place.ok(&["presets", "conv", "--size", "28x28"]);
    assert_eq!(text, place.ok(&["presets", "conv"]));
    place.fails(&["presets", "conv", "--size", "0x3"], 2, &["images of 0x3x1"]);
    place.fails(&["presets", "--size", "3x3"], 2, &["<NAME>"]);
}

/// 17 rows of 28 pixels are halved and doubled, odd lines and even columns, and whatever is saved
/// reads back.
#[test]
fn windows_of_two_sides_halve_and_double_odd_images() {
    let Some(place) = place_with_adapter() else { return };
    place.write("odd/train-images-idx3-ubyte", idx(64, 28, 17));
    let halving = "kernel = 3, stride = 2, padding = 1";
    let text = model(
        &[&format!("{{ conv2d = 4, {halving} }}"), "{ max_pool2d = [1, 2] }", "\"flatten\""],
        &[
            "{ linear = 252 }",
            "{ reshape = [4, 9, 7] }",
            "{ upsample = [1, 2] }",
            &format!("{{ conv_transpose2d = \"image\", {halving}, output_padding = [0, 1] }}"),
        ],
    );
    place.write("odd.toml", text);
    let shown = place.ok(&["inspect", "odd.toml", "--data", "odd"]);
    for line in ["max_pool2d [1, 2]", "4x9x14", "4x9x7", "1x17x28"] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    let train = ["train", "--config", "odd.toml", "--data", "odd", "--epochs", "1", "--out", "run"];
    place.ok(&[&train[..], &["--batch-size", "16"]].concat());
    place.ok(&["train", "--resume", "run", "--epochs", "2"]);
    place.ok(&["sample", "run", "--count", "4"]);
    let config = place.text("run/config.toml");
    assert!(config.contains("output_padding = [0, 1]") && config.contains("max_pool2d = [1, 2]"));
}

#[test]
fn inspect_shows_layers_parameters_and_memory() {
    let place = Place::new();
    let table = place.ok(&["inspect", "conv", "--batch-size", "64"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    for line in [
        "encoder.0 conv2d 32 kernel=3 stride=2             32x14x14        320    0.113",
        "encoder.4 flatten                                     3136          0    0.000",
        "latent    linear 40 (means, log-variances)              40     125480    0.251",
        "memory for training at 64 images in a step, MiB",
    ] {
        assert!(table.contains(line), "no `{line}` in\n{table}");
    }
    // The layers of a block follow it, and what they have counts once.
    let table = place.ok(&["inspect", "residual"]);
    for line in [
        "encoder.3   residual of 5 layers, relu            32x16x16          0    0.000",
        "encoder.3.4 batch_norm                            32x16x16         64    0.000",
        "together                                                      1015107   53.330",
    ] {
        assert!(table.contains(line), "no `{line}` in\n{table}");
    }
    let tiny = place.ok(&["inspect", "tiny.toml"]);
    assert!(
        tiny.lines().any(|line| line.starts_with("images ") && line.ends_with(" 1x8x8")),
        "{tiny}"
    );
    // 64 · 16 + 16, 16 · 4 + 4, 2 · 16 + 16 and 16 · 64 + 64
    assert!(tiny.contains("   2244 "), "{tiny}");
    assert!(tiny.contains(" 96 images"), "{tiny}");
    let grey = place.ok(&["inspect", "tiny.toml", "--size", "5x7", "--channels", "3"]);
    assert!(grey.contains("3x7x5"), "{grey}");
    // No folder is needed to look at what is made for one.
    place.write("rgb.toml", place.ok(&["presets", "conv-rgb"]));
    assert_eq!(place.ok(&["inspect", "rgb.toml"]), place.ok(&["inspect", "conv-rgb"]));
    place.fails(
        &["inspect", "absent"],
        1,
        &["absent: does not exist; give a TOML file, a run folder"],
    );
}

#[test]
fn inspect_knows_a_run() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "1"]);
    let run = place.ok(&["inspect", "run"]);
    assert!(run.contains("decoder.2 linear \"image\""), "{run}");
    assert!(run.contains("   2244 "), "{run}");
    assert_eq!(place.ok(&["inspect", "run/model.safetensors"]), run);
}

/// A learnt scale is a parameter as others are, and the user may see it.
#[test]
fn a_learnt_scale_is_told() {
    let Some(place) = place_with_adapter() else { return };
    let learnt = "[model]\nlikelihood = { gaussian = \"learnt\" }";
    place.edit("tiny.toml", "[model]", learnt);
    assert!(place.ok(&["inspect", "tiny.toml"]).contains("likelihood learnt scale"));
    let said = place.train("run", &[]);
    assert!(said.contains("model    2245 parameters"), "{said}");
    let scale = metrics(&place, "run")[1]["scale"].as_f64().unwrap();
    assert!(scale > 0.0 && scale < 1.0, "{scale}");
    let losses = place.ok(&["evaluate", "run"]);
    assert!(losses.contains(&format!("scale   {scale:>10.4}")), "{losses}");
}

#[test]
fn a_denoising_model_shows_what_it_was_given() {
    let Some(place) = place_with_adapter() else { return };
    place.edit("tiny.toml", "[model]", "[model]\ncorruption = { masking = 0.5 }");
    let said = place.train("run", &["--epochs", "1"]);
    assert!(said.contains("32 images; rows: image, corrupted image, reconstruction\n"), "{said}");
    // Four rows of originals, four of what became of them, four of what was made of that.
    assert_eq!(png_size(place.path("run/reconstructions.png")), (102, 122));
    let printed = place.ok(&["reconstruct", "run", "--count", "10", "--out", "one.png"]);
    assert_eq!(png_size(place.path("one.png")), (102, 32));
    let rows = "image, corrupted image, reconstruction";
    assert!(printed.contains(&format!("rows, repeating: {rows}\n")), "{printed}");
    assert!(String::from_utf8_lossy(&place.read("one.png")).contains(rows));
}

#[test]
fn a_plain_autoencoder_has_no_samples() {
    let Some(place) = place_with_adapter() else { return };
    place.edit("tiny.toml", "[model]", "[model]\nvariational = false");
    let said = place.train("run", &[]);
    assert!(!said.contains("samples.png") && !said.contains("vae-gpu sample"), "{said}");
    assert!(!place.path("run/samples.png").exists());
    let message = "the model is a plain autoencoder, which has no prior to draw from";
    place.fails(&["sample", "run"], 2, &[message]);
    place.ok(&["reconstruct", "run"]);
    let losses = place.ok(&["evaluate", "run"]);
    assert!(losses.contains("nats per image = recon\n") && !losses.contains("kl"), "{losses}");
    // An older run's samples go with it.
    place.edit("tiny.toml", "variational = false", "variational = true");
    place.train("other", &[]);
    assert!(place.path("other/samples.png").exists());
    place.edit("tiny.toml", "variational = true", "variational = false");
    place.train("other", &["--overwrite"]);
    assert!(!place.path("other/samples.png").exists());
}

/// A file from elsewhere, whose layers cannot be.
#[test]
fn a_model_file_of_impossible_layers_names_the_file() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--max-steps", "1"]);
    let file = changed(&place.read("run/model.safetensors"), |config, _| {
        config["model"]["encoder"][0] = serde_json::json!({ "upsampl": 2 });
    });
    place.write("bad.safetensors", file);
    let message = "bad.safetensors: has an impossible config: encoder.0 (upsampl 2), layer 1 of 2";
    place.fails(&["sample", "bad.safetensors"], 1, &[message]);
}

#[test]
fn presets_and_tables_fit_a_terminal() {
    let place = Place::new();
    let lines = place.ok(&["presets"]);
    assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
    let Some(place) = place_with_adapter() else { return };
    // Commands name the program by where it lies, which is as long as the path of this build.
    let said = place.train("run", &[]).replace(env!("CARGO_BIN_EXE_vae-gpu"), "vae-gpu");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

/// Adding a number to a latent variable's mean leaves its variance, and so whether it is active.
#[test]
fn active_units_are_counted_wherever_their_means_lie() {
    let Some(place) = place_with_adapter() else { return };
    place.train("run", &["--epochs", "1", "--batch-size", "15"]);
    let whole = place.read("run/model.safetensors");
    for shift in [0.0, 30.0, -300.0, 3000.0, 30_000.0f32] {
        // The first one's mean varies by 0.2 and more, and the second one's does not.
        let shifted = common::tensor_file::changed(&whole, |_, tensors| {
            let (_, shape, bytes) = tensors.get_mut("latent.weight").unwrap();
            assert_eq!(shape[..], [4, 16]);
            bytes[16 * 4..32 * 4].fill(0);
            for weight in bytes[..16 * 4].chunks_mut(4) {
                weight.copy_from_slice(&2f32.to_le_bytes());
            }
            let (_, _, bytes) = tensors.get_mut("latent.bias").unwrap();
            for bias in bytes[..8].chunks_mut(4) {
                bias.copy_from_slice(&shift.to_le_bytes());
            }
        });
        place.write("shifted.safetensors", shifted);
        let printed = place.ok(&["evaluate", "shifted.safetensors", "--data", "idx", "--json"]);
        let losses: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(losses["active_units"], 1, "shifted by {shift}: {printed}");
    }
}
