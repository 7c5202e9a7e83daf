//! Every preset at sizes that are nobody's favourite, and what layers do in training alone.

use vae_gpu::config::KlSchedule;
use vae_gpu::gpu::AdapterReport;
use vae_gpu::ops::gather::Corruption;
use vae_gpu::ops::likelihood::{Likelihood, Scale};
use vae_gpu::train::{StepKind, recorded};
use vae_gpu::{Column, ImageShape, Preset};

use super::*;

/// `count` images of a preset's shape.
fn images_for(preset: Preset, count: usize) -> Images {
    let shape = preset.shape();
    let pixel = |i: usize| (i * 37 % 251) as u8;
    Images { shape, pixels: (0..count * shape.pixels()).map(pixel).collect() }
}

#[test]
fn every_preset_trains_at_batch_1_at_one_that_does_not_divide_the_data_and_with_3_latents() {
    let Some(gpu) = common::gpu() else { return };
    for preset in Preset::ALL {
        let images = images_for(preset, 5);
        let labels = Column::classes(["a", "b"], &[0, 1, 1, 0, 1]);
        let train = table(images).with(Table::LABEL, labels).unwrap();
        let test = train.select(&[0, 1, 2]);
        let data = Dataset::new("odd", train.clone(), Some(test)).unwrap();
        for (batch, latent) in [(1, 3), (3, 3)] {
            let mut config = preset.config();
            config.model.latent = latent;
            (config.train.batch_size, config.train.epochs) = (batch, 1);
            let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default());
            let trainer = trainer.unwrap();
            let before = weights(&gpu, &trainer);
            let what = format!("{}, batch {batch}", preset.name());
            let report = trainer.epochs().next().unwrap().unwrap();
            assert_eq!(report.step as usize, 5usize.div_ceil(batch), "{what}");
            let losses = [Some(report.train.loss), report.test.as_ref().map(|test| test.loss)];
            assert!(losses.iter().flatten().all(|loss| loss.is_finite()), "{what}: {report:?}");
            let units = if config.model.is_deep() { 0 } else { latent };
            assert_eq!(report.train.unit_kl.len(), units, "{what}");
            assert_ne!(before, weights(&gpu, &trainer), "{what}: nothing has moved");
            assert_eq!(trainer.model().reconstruct(&train).unwrap().len(), 5, "{what}");
        }
    }
}

/// A network of every layer.
fn all_layers() -> Config {
    let mut config: Config = toml::from_str(
        r#"
        [model]
        latent = 3
        encoder = [
            { conv2d = 5, kernel = 3, padding = 1 }, "batch_norm", "silu",
            { max_pool2d = 2 },
            { residual = [{ conv2d = 5, kernel = 1 }, "tanh", { dropout = 0.2 }] },
            { avg_pool2d = 2 },
            "layer_norm", "relu", "flatten", { dropout = 0.3 }, { linear = 9 }, "elu",
        ]
        decoder = [
            { linear = 20 }, "batch_norm", "relu", { reshape = [5, 2, 2] },
            { conv_transpose2d = 3, kernel = 2, stride = 2 }, "gelu",
            { upsample = 2 },
            { conv2d = "image", kernel = 3, padding = 1 },
        ]
        "#,
    )
    .unwrap();
    config.train.batch_size = 20;
    config.train.epochs = 3;
    config
}

#[test]
fn a_resumed_run_of_every_layer_has_the_bits_of_an_uninterrupted_one() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let mut config = all_layers();
    config.model.kl_schedule = Some(KlSchedule::Cyclical { cycles: 2, ramp: 0.5 });
    config.model.free_bits = 0.1;
    config.model.corruption = Some(Corruption::Gaussian(0.2));
    let whole = trainer(&gpu, &config, TrainOptions::default());
    let reports: Vec<_> = whole.epochs().map(Result::unwrap).collect();

    let options = TrainOptions { max_steps: Some(16), ..Default::default() };
    let part = trainer(&gpu, &config, options);
    part.epochs().for_each(|report| drop(report.unwrap()));
    part.save_checkpoint(&checkpoint).unwrap();
    let options = TrainOptions::default();
    let rest = Trainer::resume(&gpu, &config, &data(), options, &checkpoint).unwrap();
    let resumed: Vec<_> = rest.epochs().map(Result::unwrap).collect();
    assert_eq!(weights(&gpu, &whole), weights(&gpu, &rest));
    let statistics = |trainer: &Trainer| trainer.model().statistics().read(&gpu).unwrap();
    assert_eq!(statistics(&whole), statistics(&rest));
    for (a, b) in reports[1..].iter().zip(&resumed) {
        assert_eq!(a.test, b.test, "epoch {}", a.epoch);
    }
}

#[test]
fn a_saved_model_of_every_layer_evaluates_as_before() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let trainer = trainer(&gpu, &all_layers(), TrainOptions::default());
    trainer.epochs().for_each(|report| drop(report.unwrap()));
    trainer.model().save(&file).unwrap();
    let loaded = Vae::load(&gpu, &file).unwrap();
    let evaluate = |model: &Vae| {
        Evaluator::new(model, &table(images(37)), 20, Noise::Seeded(1)).unwrap().run().unwrap()
    };
    assert_eq!(evaluate(trainer.model()), evaluate(&loaded));
    assert_eq!(trainer.model().sample(5).unwrap(), loaded.sample(5).unwrap());
}

/// What draws in training does not in evaluation, whatever the batch.
#[test]
fn evaluation_of_every_layer_does_not_depend_on_the_batch() {
    let Some(gpu) = common::gpu() else { return };
    let trainer = trainer(&gpu, &all_layers(), TrainOptions::default());
    trainer.epochs().for_each(|report| drop(report.unwrap()));
    let run = |batch| {
        let evaluator = Evaluator::new(trainer.model(), &table(images(37)), batch, Noise::Mean(1));
        evaluator.unwrap().run().unwrap().loss
    };
    for batch in [1, 5, 37] {
        assert!((run(batch) / run(20) - 1.0).abs() < 1e-5, "{batch}");
    }
}

/// Layers that hand on what they are given, in evaluation or always.
#[test]
fn a_residual_block_of_layers_that_do_nothing_doubles() {
    let Some(gpu) = common::gpu() else { return };
    for block in ["{ dropout = 0.2 }", "\"flatten\"", "\"flatten\", \"relu\""] {
        for before in ["{ linear = 16 }, \"relu\"", "{ linear = 16 }"] {
            let text = format!(
                "[model]\nencoder = [{before}, {{ residual = [{block}] }}]\ndecoder = [{{ residual = \
                 [{block}] }}, {{ linear = \"image\" }}]\n[train]\nepochs = 1\nbatch_size = 20"
            );
            let config: Config = toml::from_str(&text).unwrap();
            let trainer = trainer(&gpu, &config, TrainOptions::default());
            let report = trainer.epochs().next().unwrap().unwrap();
            assert!(report.test.is_some_and(|test| test.loss.is_finite()), "{text}");
            assert_eq!(trainer.model().sample(2).unwrap().len(), 2);
        }
    }
}

/// A learnt scale is a parameter as others are: it moves, and is saved and loaded.
#[test]
fn a_learnt_scale_is_trained_and_kept() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [file, checkpoint] =
        ["model", "checkpoint"].map(|name| folder.path().join(format!("{name}.safetensors")));
    let mut config = config(4);
    config.model.likelihood = Likelihood::Gaussian(Scale::Learnt);
    let whole = trainer(&gpu, &config, TrainOptions::default());
    let losses: Vec<_> = whole.epochs().map(|report| report.unwrap().train.loss).collect();
    assert!(losses[3] < losses[0], "{losses:?}");
    let scale = weights(&gpu, &whole).pop().unwrap();
    assert!(scale.len() == 1 && scale[0] < -0.1, "{scale:?}");
    whole.model().save(&file).unwrap();
    let loaded = Vae::load(&gpu, &file).unwrap();
    assert_eq!(loaded.parameters().read(&gpu).unwrap().pop().unwrap(), scale);
    assert_eq!(loaded.sample_drawn(3, 1).unwrap(), whole.model().sample_drawn(3, 1).unwrap());

    let options = TrainOptions { max_steps: Some(16), ..Default::default() };
    let part = trainer(&gpu, &config, options);
    part.epochs().for_each(|report| drop(report.unwrap()));
    part.save_checkpoint(&checkpoint).unwrap();
    let options = TrainOptions::default();
    let rest = Trainer::resume(&gpu, &config, &data(), options, &checkpoint).unwrap();
    rest.epochs().for_each(|report| drop(report.unwrap()));
    assert_eq!(weights(&gpu, &whole), weights(&gpu, &rest));
}

/// The need that a recording tells, without an adapter, is what compiling it allocates.
#[test]
fn planned_memory_is_what_is_allocated() {
    let Some(gpu) = common::gpu() else { return };
    for (preset, rows) in Preset::ALL.into_iter().flat_map(|p| [1, 37, 128].map(|rows| (p, rows))) {
        let mut config = preset.config();
        config.train.batch_size = rows;
        let (report, choices) = (gpu.report(), Default::default());
        let step = recorded(&config, preset.shape(), StepKind::Train, report, &choices).unwrap();
        let planned: u64 = step.buffers().iter().map(|buffer| buffer.bytes()).sum();
        let before = gpu.allocated_bytes();
        let plan = step.compile(&gpu);
        let allocated = gpu.allocated_bytes() - before;
        assert_eq!(allocated, planned + step.params_bytes(), "{}, batch {rows}", preset.name());
        drop(plan);
    }
}

/// Forward and backward of `conv` took 42,460,928 bytes at 128 images on a software adapter before memory was used again.
#[test]
fn memory_is_used_again() {
    let config = Preset::ALL.into_iter().find(|preset| preset.name() == "conv").unwrap().config();
    let report = AdapterReport { kind: "software", ..AdapterReport::webgpu() };
    let choices = Default::default();
    let step = recorded(&config, ImageShape::DIGITS, StepKind::Train, &report, &choices).unwrap();
    assert!(step.workspace_bytes() <= 42_460_928 * 2 / 3, "{}", step.workspace_bytes());
}

/// Adam moves each weight by the learning rate at once, and a log-variance is a sum of 4096 products of
/// them: without the warm-up its exponential, and with it the KL divergence, leaps in the few steps that an
/// epoch of so few photos has.
#[test]
fn the_first_epoch_of_residual_on_few_photos_is_no_leap() {
    let Some(gpu) = common::gpu() else { return };
    let shape = ImageShape { width: 64, height: 64, channels: 3 };
    let preset: Preset = "residual".parse().unwrap();
    // Images of one of the eight strongest colours.
    let value = |image: usize, at: usize| if image >> (at % 3) & 1 == 1 { 255 } else { 0 };
    let pixels = (0..48).flat_map(|i| (0..shape.pixels()).map(move |at| value(i, at))).collect();
    let photos = table(Images { shape, pixels });
    let data = Dataset::new("photos", photos.clone(), None).unwrap();
    let losses = |warmup_epochs: f64| {
        let mut config = preset.config_for(shape);
        (config.train.batch_size, config.train.epochs) = (8, 1);
        config.train.warmup_epochs = warmup_epochs;
        let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default()).unwrap();
        let untrained = trainer.evaluator(&photos, Noise::Seeded(1)).unwrap().run().unwrap();
        [untrained.loss, trainer.epochs().next().unwrap().unwrap().train.loss]
    };
    let [untrained, trained] = losses(preset.config().train.warmup_epochs);
    // Losses of training are by the batch's own statistics, others by running ones.
    let most = 1.1 * untrained;
    assert!(trained < most, "from {untrained} to {trained}");
    // With these images the warm-up is what makes the difference.
    let [_, leaping] = losses(0.0);
    assert!(leaping > most, "from {untrained} to {leaping}");
}
