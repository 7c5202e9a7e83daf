//! Losses and weights that are no finite numbers: seen soon, never saved, never given out.

use super::*;
use std::time::Duration;
use vae_gpu::Error;

fn explosive(rate: f64) -> Config {
    let mut config = config(1);
    config.train.learning_rate = rate;
    config.train.batch_size = 1;
    config
}

fn untested() -> Dataset {
    Dataset { test: None, ..data() }
}

#[test]
fn a_loss_that_explodes_is_seen_within_the_epoch() {
    let Some(gpu) = common::gpu() else { return };
    let config = explosive(1e30);
    let options = TrainOptions {
        steps_per_submission: Some(4),
        look_every: Some(Duration::ZERO),
        ..Default::default()
    };
    let trainer = Trainer::new(&gpu, &config, &untested(), options).unwrap();
    let mut reports = trainer.epochs();
    let error = reports.next().unwrap().unwrap_err();
    let Error::Diverged { ref what, epoch, step } = error else { panic!("{error}") };
    assert_eq!((what.as_str(), epoch), ("the loss", 1));
    assert!(step < 40, "seen after {step} of 203 steps");
    assert!(error.to_string().contains("smaller learning rate"), "{error}");
    assert!(reports.next().is_none(), "it goes on after an error");
}

#[test]
fn looks_cost_a_read_back_each_and_change_no_bit() {
    let Some(gpu) = common::gpu() else { return };
    let run = |every| {
        let options = TrainOptions {
            steps_per_submission: Some(4),
            look_every: Some(every),
            ..Default::default()
        };
        let trainer = Trainer::new(&gpu, &config(1), &untested(), options).unwrap();
        let before = gpu.traffic().readbacks;
        let mut seen = Vec::new();
        let report = trainer.epoch(|progress| {
            seen.push(progress.loss.is_some());
            ControlFlow::Continue(())
        });
        let losses = report.unwrap().unwrap().train;
        (gpu.traffic().readbacks - before, seen, losses, weights(&gpu, &trainer))
    };
    let (often, seen, losses, after) = run(Duration::ZERO);
    // After the first of three submissions; with the second, all of the epoch is submitted.
    assert_eq!((often, seen), (1 + 1, vec![true; 3]));
    let (seldom, seen, same_losses, same_after) = run(Duration::from_secs(3600));
    assert_eq!((seldom, seen), (1, vec![false; 3]));
    assert_eq!((losses, after), (same_losses, same_after));
}

/// A step whose own loss is finite and which makes weights infinite.
#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut config = explosive(3e38);
    config.train.optimizer = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let options = TrainOptions { max_steps: Some(1), ..Default::default() };
    let trainer = Trainer::new(&gpu, &config, &untested(), options).unwrap();
    trainer.save_checkpoint(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let report = trainer.epochs().next().unwrap().unwrap();
    assert!(report.train.loss.is_finite());
    assert!(weights(&gpu, &trainer).concat().iter().any(|w| !w.is_finite()), "it did not explode");

    let error = trainer.save_checkpoint(&path).unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 1, epoch: 1, .. }), "{error}");
    assert!(std::fs::read(&path).unwrap() == before, "the checkpoint was touched");
    let model = folder.path().join("model.safetensors");
    let error = trainer.model().save(&model).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    assert!(!model.exists());
}

/// Weights that are finite, and whose sums are not.
#[test]
fn what_a_model_makes_of_images_is_finite_or_an_error() {
    let Some(gpu) = common::gpu() else { return };
    let vae = trainer(&gpu, &config(1), TrainOptions::default()).into_model();
    let huge: Vec<_> = vae.parameters().read(&gpu).unwrap();
    let huge: Vec<Vec<f32>> = huge.iter().map(|w| w.iter().map(|w| w * 1e30).collect()).collect();
    vae.parameters().write(&gpu, &huge);
    let (images, noise) = (images(7), Noise::Seeded(1));
    let failures = [
        Evaluator::new(&vae, &table(images.clone()), 3, noise).unwrap().run().err(),
        vae.sample(5).err(),
        vae.sample_drawn(5, 1).err(),
        vae.reconstruct(&images).err(),
        vae.encode(&images).err(),
        vae.score(&images, noise).err(),
        vae.decode(&[1e30; 3]).err(),
    ];
    for (i, failure) in failures.into_iter().enumerate() {
        let failure = failure.unwrap_or_else(|| panic!("{i} was taken for a result"));
        assert!(matches!(failure, Error::NotFinite { .. }), "{failure}");
        assert!(failure.to_string().contains("is not finite"), "{failure}");
    }
}

/// The learning rate, its schedule and its warm-up may change; what else there is may not.
#[test]
fn a_run_goes_on_with_another_learning_rate() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let options = TrainOptions { max_steps: Some(15), ..Default::default() };
    let part = trainer(&gpu, &config(2), options);
    part.epochs().for_each(|report| drop(report.unwrap()));
    part.save_checkpoint(&path).unwrap();
    let resume = |change: &dyn Fn(&mut TrainConfig)| {
        let mut config = config(2);
        change(&mut config.train);
        Trainer::resume(&gpu, &config, &data(), TrainOptions::default(), &path)
    };
    let changes = |trainer: Trainer| {
        let before = trainer.before().expect("it was resumed").clone();
        trainer.config().train.rate_changes(&before)
    };

    let resumed = resume(&|train| train.learning_rate = 1e-4).unwrap();
    assert_eq!(resumed.learning_rate(), 1e-4);
    let report = resumed.epochs().last().unwrap().unwrap();
    assert_eq!((report.step, report.learning_rate), (22, 1e-4));
    assert_eq!(changes(resumed), ["learning_rate = 0.0001, before 0.01"]);
    let scheduled = resume(&|train| {
        train.schedule = ScheduleConfig::Exponential { factor: 0.5 };
        train.warmup_epochs = 0.5;
    });
    let expected = [
        "schedule = { name = \"exponential\", factor = 0.5 }, before { name = \"constant\" }",
        "warmup_epochs = 0.5, before 0",
    ];
    assert_eq!(changes(scheduled.unwrap()), expected);
    assert!(changes(resume(&|train| train.epochs = 9).unwrap()).is_empty());
    assert!(part.before().is_none());

    for change in [
        (|train| train.seed = 2) as fn(&mut TrainConfig),
        |train| train.clip_norm = Some(1.0),
        |train| train.batch_size = 10,
        |train| {
            train.optimizer = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        },
    ] {
        let message = resume(&change).err().expect("it was resumed").to_string();
        assert!(message.contains("belongs to another"), "{message}");
    }
}
