//! What comes out of a model: losses, initial weights, samples.

use vae_gpu::gpu::AdapterOptions;
use vae_gpu::model::{Samples, corrupted};
use vae_gpu::ops::State;
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::gather::Corruption;
use vae_gpu::ops::likelihood::{Likelihood, Scale};
use vae_gpu::{Column, Error, PackedImages};

use super::*;

#[test]
fn an_evaluation_repeats_itself_and_without_noise_does_not_depend_on_the_batch() {
    let Some(gpu) = common::gpu() else { return };
    let trainer = trainer(&gpu, &config(1), TrainOptions::default());
    let run = |batch, noise| {
        let evaluator = Evaluator::new(trainer.model(), &table(images(203)), batch, noise);
        evaluator.unwrap().run().unwrap()
    };
    assert_eq!(run(20, Noise::Seeded(1)), run(20, Noise::Seeded(1)));
    assert_ne!(run(20, Noise::Seeded(1)), run(20, Noise::Seeded(2)));
    let mean = run(20, Noise::Mean(1));
    for batch in [1, 7, 203, 1000] {
        let other = run(batch, Noise::Mean(1));
        assert!((other.loss / mean.loss - 1.0).abs() < 1e-6, "{batch}: {other:?} {mean:?}");
    }
}

#[test]
fn images_of_any_kind_give_finite_losses() {
    let Some(gpu) = common::gpu() else { return };
    let shape = ImageShape { width: 5, height: 3, channels: 3 };
    let names = [
        (Likelihood::Bernoulli, None),
        (Likelihood::SquaredError, None),
        (Likelihood::SquaredError, Some("sigmoid")),
        (Likelihood::ContinuousBernoulli, None),
        (Likelihood::Gaussian(Scale::Learnt), None),
        (Likelihood::Laplace(Scale::Fixed(0.1)), None),
    ];
    for (likelihood, activation) in names {
        for byte in [0, 128, 255] {
            let train = Images { shape, pixels: vec![byte; 21 * shape.pixels()] };
            let data = Dataset::new("flat", table(train), None).unwrap();
            let mut config = config(2);
            config.model.likelihood = likelihood;
            config.model.decoder.extend(activation.map(|name| LayerSpec::new(name, None)));
            let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default()).unwrap();
            for report in trainer.epochs() {
                assert!(report.unwrap().train.loss.is_finite(), "{likelihood:?}, pixels of {byte}");
            }
        }
    }
}

/// A model whose posterior has this log-variance whatever it sees, and its largest logits this size.
fn extreme(gpu: &Gpu, likelihood: Likelihood, log_variance: f32, logit: f32) -> Vae {
    let mut config = config(1);
    config.model.likelihood = likelihood;
    let vae = Vae::new(gpu, &config.model, images(1).shape, 1).unwrap();
    let mut values = vae.parameters().read(gpu).unwrap();
    for (spec, values) in vae.parameters().layout().specs().zip(&mut values) {
        match spec.name.as_str() {
            "latent.weight" => values.fill(0.0),
            "latent.bias" => {
                values[..3].fill(0.0);
                values[3..].fill(log_variance);
            }
            "decoder.2.bias" => (0..64).for_each(|i| values[i] = [logit, -logit][i % 2]),
            _ => {}
        }
    }
    vae.parameters().write(gpu, &values);
    vae
}

#[test]
fn losses_stay_finite_at_the_extremes() {
    let Some(gpu) = common::gpu() else { return };
    for likelihood in [Likelihood::Bernoulli, Likelihood::SquaredError] {
        for log_variance in [-80.0, 80.0] {
            for logit in [-1e4, 1e4] {
                let vae = extreme(&gpu, likelihood, log_variance, logit);
                let evaluator = Evaluator::new(&vae, &table(images(203)), 20, Noise::Seeded(1));
                let losses = evaluator.unwrap().run().unwrap();
                let what = format!("{likelihood:?}, log-variance {log_variance}, logits {logit}");
                assert!(losses.loss.is_finite() && losses.loss > 0.0, "{what}: {losses:?}");
                let kl = 1.5 * (f64::from(log_variance).exp() - 1.0 - f64::from(log_variance));
                assert!(
                    (losses.term("kl").unwrap() / kl - 1.0).abs() < 1e-4,
                    "{what}: {losses:?}, not {kl}"
                );
            }
        }
    }
}

/// The scores of images have the mean that an evaluation gives: kernels of sums, and formulas of rows.
#[test]
fn scores_add_up_to_the_evaluation() {
    let Some(gpu) = common::gpu() else { return };
    let likelihoods = [
        "'bernoulli'",
        "'continuous_bernoulli'",
        "'gaussian'",
        "{ gaussian = 0.3 }",
        "{ gaussian = 'learnt' }",
        "{ laplace = 0.3 }",
        "{ laplace = 'learnt' }",
    ];
    let maps = "encoder = [{ conv2d = 3, kernel = 3 }, 'relu', 'flatten']\n\
                decoder = [{ linear = 64 }, { reshape = [1, 8, 8] }]";
    let models = likelihoods.map(|likelihood| (likelihood, ""));
    for (likelihood, layers) in
        models.into_iter().chain([("'bernoulli'", maps), ("'bernoulli'", "variational = false")])
    {
        let what = format!("likelihood = {likelihood}\n{layers}");
        let config = Config::parse(&format!("[model]\nlatent = 3\n{what}"), "test").unwrap();
        let vae = Vae::new(&gpu, &config.model, images(1).shape, 1).unwrap();
        let images = images(300);
        for noise in [Noise::Seeded(3), Noise::Mean(3)] {
            // Draws go by the place in a batch.
            let losses =
                Evaluator::new(&vae, &table(images.clone()), 256, noise).unwrap().run().unwrap();
            let scores = vae.score(&images, noise).unwrap();
            for (name, scores) in [("recon", &scores.recon), ("kl", &scores.kl)] {
                assert_eq!(scores.len(), images.len(), "{what}");
                let mean = scores.iter().map(|nats| f64::from(*nats)).sum::<f64>() / 300.0;
                let want = losses.term(name).unwrap();
                let near = (mean - want).abs() <= 1e-5 * want.abs().max(1e-3);
                assert!(near, "{what}, {noise:?}: {name} {mean}, not {want}");
            }
        }
    }
}

#[test]
fn weights_that_are_not_numbers_show_in_the_loss() {
    let Some(gpu) = common::gpu() else { return };
    for activation in Activation::ALL.map(Activation::name) {
        let mut config = config(1);
        for layer in config.model.encoder.iter_mut().filter(|layer| layer.name == "relu") {
            layer.name = activation.into();
        }
        let vae = Vae::new(&gpu, &config.model, images(1).shape, 1).unwrap();
        let mut values = vae.parameters().read(&gpu).unwrap();
        values[0].fill(f32::NAN);
        vae.parameters().write(&gpu, &values);
        let evaluator = Evaluator::new(&vae, &table(images(9)), 4, Noise::Mean(1)).unwrap();
        let failed = matches!(evaluator.run(), Err(vae_gpu::Error::NotFinite { .. }));
        assert!(failed, "{activation} hides it");
    }
}

#[test]
fn the_state_on_the_adapter_is_the_structs() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = State::tensor("state");
    let state = State { step: 1, epoch: 2, row: 3, images: 4 };
    state.write(&gpu, &tensor);
    assert_eq!(State::read(&gpu, &tensor).unwrap(), state);
}

#[test]
fn drawn_pixels_are_those_of_the_likelihood_whatever_the_count() {
    let Some(gpu) = common::gpu() else { return };
    let trainer = trainer(&gpu, &config(1), TrainOptions::default());
    let model = trainer.model();
    let many = model.sample_drawn(300, 3).unwrap();
    // Of the Bernoulli likelihood: black or white, and as often white as the mean is bright.
    assert!(many.pixels.iter().all(|pixel| [0, 255].contains(pixel)));
    let brightness = |images: &Images| {
        images.pixels.iter().map(|p| f64::from(*p)).sum::<f64>() / images.pixels.len() as f64
    };
    let mean = brightness(&model.sample_seeded(300, 3).unwrap());
    assert!((brightness(&many) / mean - 1.0).abs() < 0.05, "{} {mean}", brightness(&many));
    for count in [1, 255, 257] {
        let few = model.sample_drawn(count, 3).unwrap();
        assert_eq!(few.pixels, many.pixels[..count * 64], "{count}");
    }
    assert_ne!(many.image(0), many.image(256));
}

/// The same adapter with bindings that hold 64 of [`images`] as floats.
fn small(gpu: &Gpu) -> Gpu {
    let options = AdapterOptions {
        adapter: Some(gpu.report().index.to_string()),
        max_binding_bytes: Some(64 * 64 * 4),
        ..Default::default()
    };
    Gpu::with_options(&options).unwrap()
}

/// Where fewer than 256 images go through the model at once, as large ones do.
#[test]
fn draws_do_not_depend_on_the_count_where_blocks_are_small() {
    let Some(gpu) = common::gpu() else { return };
    let small = small(&gpu);
    let vae = Vae::new(&small, &config(1).model, images(1).shape, 1).unwrap();
    let (drawn, images) = (vae.sample_drawn(256, 3).unwrap(), images(256));
    let scores = vae.score(&images, Noise::Seeded(3)).unwrap();
    for count in [100, 200] {
        assert_eq!(vae.sample_drawn(count, 3).unwrap().pixels, drawn.pixels[..count * 64]);
        let few = vae.score(&images.pixels[..count * 64], Noise::Seeded(3)).unwrap();
        assert_eq!(few.recon, scores.recon[..count], "{count}");
    }
}

#[test]
fn images_are_corrupted_in_blocks_that_fit_the_adapter() {
    let Some(gpu) = common::gpu() else { return };
    let white = Images { pixels: vec![255; 150 * 64], ..images(1) };
    let made = |gpu| corrupted(gpu, &white, Corruption::Masking(0.5)).unwrap().pixels;
    let (whole, in_blocks) = (made(&gpu), made(&small(&gpu)));
    assert_eq!(in_blocks.len(), white.pixels.len());
    let blocks: Vec<_> = in_blocks.chunks(64 * 64).collect();
    assert_eq!(blocks[0], &whole[..64 * 64]);
    assert_ne!(blocks[0], blocks[1], "a block has the draws of another");
    for block in blocks {
        let black = block.iter().filter(|pixel| **pixel == 0).count();
        assert!((0.45..0.55).contains(&(black as f64 / block.len() as f64)), "{black}");
    }
}

/// Images of which a block, or a batch, has more values than kernels can count.
#[test]
fn large_images_are_taken_in_small_blocks_and_no_large_batches() {
    let Some(gpu) = common::gpu() else { return };
    let layers = "encoder = [{ conv2d = 1, kernel = 64, stride = 64 }, 'flatten']\n\
                  decoder = [{ linear = 1024 }, { reshape = [1, 32, 32] }, \
                  { conv_transpose2d = 1, kernel = 64, stride = 64 }]";
    let batch = "[train]\nbatch_size = 128";
    let config = Config::parse(&format!("[model]\nlatent = 2\n{layers}\n{batch}"), "test").unwrap();
    let vae = Vae::new(&gpu, &config.model, [1, 2048, 2048].into(), 1).unwrap();
    let mut blocks = Vec::new();
    let stopped = vae.sample_blocks(Samples { draw: true, ..Samples::new(256, 1) }, |images| {
        blocks.push(images.len());
        Err(Error::Input("that will do".into()))
    });
    assert!(matches!(stopped, Err(Error::Input(_))), "{stopped:?}");
    assert!(blocks.len() == 1 && (1..64).contains(&blocks[0]), "{blocks:?}");

    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(128 << 22).unwrap();
    let pixels = PackedImages::open(file.path(), [1, 2048, 2048], 128, 0).unwrap();
    let table = Table::new().with(Table::IMAGE, Column::Packed(pixels)).unwrap();
    let data = Dataset::new("large", table, None).unwrap();
    let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default());
    let error = trainer.err().expect("a batch of 2^31 values is trained on");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn a_sample_is_the_same_whatever_the_count() {
    let Some(gpu) = common::gpu() else { return };
    let trainer = trainer(&gpu, &config(1), TrainOptions::default());
    let model = trainer.model();
    // Over two blocks of 256, whose draws are apart.
    let many = model.sample_seeded(600, 3).unwrap();
    assert_eq!(many.len(), 600);
    for count in [0, 1, 255, 256, 257] {
        let few = model.sample_seeded(count, 3).unwrap();
        assert_eq!(few.pixels, many.pixels[..count * 64], "{count}");
    }
    assert_ne!(many.image(0), many.image(256));
    assert_ne!(many.image(0), model.sample_seeded(1, 4).unwrap().image(0));
}
