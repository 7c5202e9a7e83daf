//! The training loop: what it costs the host, and what it promises to the bit.

mod binarize;
#[path = "../common/mod.rs"]
mod common;
mod conditional;
mod damage;
mod divergence;
mod estimate;
mod learning;
mod levels;
mod models;
mod numbers;
mod objective;
mod placement;
mod presets;
mod shapes;

use std::ops::ControlFlow;
use std::path::Path;

use safetensors::SafeTensors;

use vae_gpu::config::{ScheduleConfig, TrainConfig};
use vae_gpu::nn::{LayerSpec, Setting};
use vae_gpu::ops::optimizer::Rule;
use vae_gpu::train::{EpochReport, Losses, Progress};
use vae_gpu::{
    Config, Dataset, Evaluator, Gpu, ImageShape, Images, Noise, Table, TrainOptions, Trainer, Vae,
};

/// 8×8 blobs at random places: enough to learn, small enough to be quick.
fn images(count: usize) -> Images {
    let shape = ImageShape { width: 8, height: 8, channels: 1 };
    let blob = |i: usize| {
        let (cx, cy) = ((i * 7 % 64) as i32 / 8, (i * 13 % 64) as i32 % 8);
        (0..64).map(move |p| {
            let distance = (p / 8 - cx).pow(2) + (p % 8 - cy).pow(2);
            (255 / (1 + distance)) as u8
        })
    };
    Images { shape, pixels: (0..count).flat_map(blob).collect() }
}

fn table(images: Images) -> Table {
    Table::new().with(Table::IMAGE, images).unwrap()
}

fn data() -> Dataset {
    Dataset::new("blobs", table(images(203)), Some(table(images(37)))).unwrap()
}

fn config(epochs: u32) -> Config {
    let mut config = Config::default();
    let linear = |size| LayerSpec::new("linear", size);
    let hidden = |size| vec![linear(Setting::Integer(size as i64)), LayerSpec::new("relu", None)];
    config.model.encoder = hidden(24);
    config.model.decoder = [hidden(17), vec![linear(Setting::Text("image".into()))]].concat();
    config.model.latent = 3;
    config.train.batch_size = 20;
    config.train.epochs = epochs;
    config.train.learning_rate = 1e-2;
    config
}

fn trainer(gpu: &Gpu, config: &Config, options: TrainOptions) -> Trainer {
    Trainer::new(gpu, config, &data(), options).unwrap()
}

fn weights(gpu: &Gpu, trainer: &Trainer) -> Vec<Vec<f32>> {
    trainer.model().parameters().read(gpu).unwrap()
}

#[test]
fn an_epoch_takes_few_submissions_one_upload_and_one_read_back() {
    let Some(gpu) = common::gpu() else { return };
    let mut data = data();
    data.test = None;
    let options = TrainOptions { steps_per_submission: Some(4), ..Default::default() };
    let trainer = Trainer::new(&gpu, &config(3), &data, options).unwrap();
    assert_eq!(trainer.steps_per_epoch(), 11, "ten batches of 20 and one of 3");
    for epoch in 0..3 {
        let before = gpu.traffic();
        trainer.epoch(|_| ControlFlow::Continue(())).unwrap().unwrap();
        let after = gpu.traffic();
        // Three for eleven steps, four at a time, and one for the read-back.
        assert_eq!(after.submissions - before.submissions, 3 + 1, "epoch {epoch}");
        assert_eq!(after.uploads - before.uploads, 1, "the state, before the first step");
        // An epoch of milliseconds is not looked at within: tests/trainer/divergence.rs does that.
        assert_eq!(after.readbacks - before.readbacks, 1, "the report, after the last step");
    }
}

#[test]
fn training_learns_and_reports_the_mean_over_all_images() {
    let Some(gpu) = common::gpu() else { return };
    let trainer = trainer(&gpu, &config(6), TrainOptions::default());
    let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
    assert_eq!(reports.len(), 6);
    assert_eq!(reports.iter().map(|r| r.epoch).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(reports[5].step, 66);
    assert!(reports[5].train.loss < 0.7 * reports[0].train.loss, "{reports:#?}");
    let tested = |i: usize| reports[i].test.as_ref().unwrap().loss;
    assert!(tested(5) < tested(0));
    assert!(reports.iter().all(|r| r.complete && r.images_per_second > 0.0));

    // With a step size too small to move anything, an epoch's mean is that of an evaluation of
    // the training split, but for the noise; the smaller last batch must not weigh as a full one.
    let mut still = config(1);
    still.train.learning_rate = 1e-30;
    still.model.kl_weight = 3.0;
    let trainer = self::trainer(&gpu, &still, TrainOptions::default());
    let report = trainer.epochs().next().unwrap().unwrap();
    let evaluator = Evaluator::new(trainer.model(), &table(images(203)), 50, Noise::Seeded(5));
    let whole = evaluator.unwrap().run().unwrap();
    let terms = |losses: &Losses| ["kl", "recon"].map(|name| losses.term(name).unwrap());
    let ([kl, recon], [whole_kl, whole_recon]) = (terms(&report.train), terms(&whole));
    assert!((kl / whole_kl - 1.0).abs() < 1e-5, "{report:?} {whole:?}");
    assert!((recon / whole_recon - 1.0).abs() < 1e-2, "{report:?} {whole:?}");
    assert!((report.train.loss - recon - 3.0 * kl).abs() < 1e-9);
}

#[test]
fn one_seed_gives_the_same_bits_however_the_steps_are_submitted() {
    let Some(gpu) = common::gpu() else { return };
    let run = |seed: u64, steps: Option<usize>| {
        let mut config = config(2);
        config.train.seed = seed;
        let options = TrainOptions { steps_per_submission: steps, ..Default::default() };
        let trainer = trainer(&gpu, &config, options);
        let losses: Vec<_> = trainer.epochs().map(|r| r.unwrap().test.unwrap().loss).collect();
        (weights(&gpu, &trainer), losses)
    };
    let first = run(1, None);
    assert_eq!(first, run(1, Some(1)));
    assert_eq!(first, run(1, Some(100)));
    assert_ne!(first.0, run(2, None).0);
}

#[test]
fn a_resumed_run_has_the_bits_of_an_uninterrupted_one() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    // A weight that JSON readers get wrong in its last digit, and 20/784 is a common one.
    let weighted = |epochs| {
        let mut config = config(epochs);
        config.model.kl_weight = 0.025510204081632654;
        config
    };
    resume_and_compare(&gpu, &checkpoint, &weighted(4));

    // What optimizers and schedules keep, or take from the count of steps.
    let mut clipped = weighted(4);
    clipped.train = TrainConfig {
        clip_norm: Some(20.0),
        warmup_epochs: 2.3,
        schedule: ScheduleConfig::Cosine { minimum: 1e-4 },
        optimizer: Rule::RmsProp { alpha: 0.9, epsilon: 1e-8, momentum: 0.5, weight_decay: 0.1 },
        ..clipped.train
    };
    resume_and_compare(&gpu, &checkpoint, &clipped);
    let mut summed = weighted(4);
    summed.train.optimizer = Rule::Adagrad {
        lr_decay: 0.01,
        epsilon: 1e-8,
        initial_accumulator_value: 0.1,
        weight_decay: 0.0,
    };
    resume_and_compare(&gpu, &checkpoint, &summed);
}

/// Four epochs, whole and in two parts.
fn resume_and_compare(gpu: &Gpu, checkpoint: &Path, config: &Config) {
    let whole = trainer(gpu, config, TrainOptions::default());
    let reports: Vec<_> = whole.epochs().map(Result::unwrap).collect();

    // At the end of an epoch, within one, and within one right before its smaller last batch.
    for stop in [22, 27, 32] {
        let options = TrainOptions { max_steps: Some(stop), ..Default::default() };
        let part = trainer(gpu, config, options);
        let stopped = part.epochs().map(Result::unwrap).last().unwrap();
        assert_eq!((stopped.step, stopped.complete), (stop, stop == 22));
        part.save_checkpoint(checkpoint).unwrap();

        let options = TrainOptions::default();
        let rest = Trainer::resume(gpu, config, &data(), options, checkpoint).unwrap();
        let resumed: Vec<_> = rest.epochs().map(Result::unwrap).collect();
        assert_eq!(weights(gpu, &rest), weights(gpu, &whole), "stopped at {stop}");
        assert_eq!(rest.state(), whole.state());
        for (a, b) in resumed.iter().rev().zip(reports.iter().rev()) {
            assert_eq!((a.epoch, &a.train, &a.test), (b.epoch, &b.train, &b.test));
        }
    }
}

/// Checkpoints from before the losses were a list had the reconstruction loss behind the counters.
#[test]
fn an_older_checkpoint_goes_on_to_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let whole = trainer(&gpu, &config(2), TrainOptions::default());
    let reports: Vec<_> = whole.epochs().map(Result::unwrap).collect();
    let options = TrainOptions { max_steps: Some(5), ..Default::default() };
    let part = trainer(&gpu, &config(2), options);
    part.epochs().for_each(|report| drop(report.unwrap()));
    part.save_checkpoint(&checkpoint).unwrap();

    let bytes = std::fs::read(&checkpoint).unwrap();
    let older = common::tensor_file::changed(&bytes, |_, tensors| {
        // No step so far has moved the recent part to the older one.
        tensors.remove("sums").unwrap();
        let (_, _, sums) = tensors.remove("recent_sums").unwrap();
        let (_, shape, words) = tensors.get_mut("state").unwrap();
        *shape = vec![5];
        words.extend(&sums[..4]);
    });
    std::fs::write(&checkpoint, older).unwrap();

    let options = TrainOptions::default();
    let rest = Trainer::resume(&gpu, &config(2), &data(), options, &checkpoint).unwrap();
    let resumed: Vec<_> = rest.epochs().map(Result::unwrap).collect();
    assert_eq!(weights(&gpu, &rest), weights(&gpu, &whole));
    let losses = |report: &EpochReport| (report.train.clone(), report.test.clone());
    assert_eq!(resumed.iter().map(losses).collect::<Vec<_>>(), [0, 1].map(|i| losses(&reports[i])));
}

/// Checkpoints from before statistics were kept by their distances had sums of the posterior's mean and of
/// its square.
#[test]
fn an_older_checkpoint_goes_on_with_its_statistics() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let whole = trainer(&gpu, &config(1), TrainOptions::default());
    let expected = whole.epochs().next().unwrap().unwrap().train;
    let options = TrainOptions { max_steps: Some(5), ..Default::default() };
    let part = trainer(&gpu, &config(1), options);
    part.epochs().for_each(|report| drop(report.unwrap()));
    part.save_checkpoint(&checkpoint).unwrap();
    let share = 100.0 / 203.0;
    let older = common::tensor_file::changed(&std::fs::read(&checkpoint).unwrap(), |_, tensors| {
        let (kind, shape, bytes) = tensors.remove("unit_statistics").unwrap();
        assert_eq!(shape, [5 * 3]);
        let now: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let now = |i: usize, unit: usize| now[3 * i + unit];
        let of_unit = |unit| {
            let mean = now(2, unit) + now(3, unit);
            [now(0, unit) + now(1, unit), share * mean, now(4, unit) + share * mean * mean]
        };
        let then = (0..9).map(|i| of_unit(i % 3)[i / 3]).flat_map(f32::to_le_bytes).collect();
        tensors.insert("units".into(), (kind, vec![9], then));
        let recent = tensors.remove("recent_sums").unwrap();
        tensors.insert("sums".into(), recent);
    });
    std::fs::write(&checkpoint, older).unwrap();
    let options = TrainOptions::default();
    let rest = Trainer::resume(&gpu, &config(1), &data(), options, &checkpoint).unwrap();
    let losses = rest.epochs().next().unwrap().unwrap().train;
    assert_eq!(weights(&gpu, &rest), weights(&gpu, &whole));
    assert!((losses.loss / expected.loss - 1.0).abs() < 1e-6, "{losses:?}, not {expected:?}");
    assert_eq!(losses.active_units, expected.active_units);
    for (kl, expected) in losses.unit_kl.iter().zip(&expected.unit_kl) {
        assert!((kl / expected - 1.0).abs() < 1e-5, "{kl}, not {expected}");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let options = TrainOptions { max_steps: Some(5), ..Default::default() };
    let part = trainer(&gpu, &config(1), options);
    part.epochs().last().unwrap().unwrap();
    part.save_checkpoint(&checkpoint).unwrap();
    let resume = |config: &Config, data: &Dataset| {
        let options = TrainOptions::default();
        Trainer::resume(&gpu, config, data, options, &checkpoint).map(drop)
    };
    resume(&config(7), &data()).unwrap();

    let mut other = data();
    let mut images = other.train.into_images().unwrap();
    images.pixels[1000] ^= 1;
    other.train = table(images);
    let mut wider = config(1);
    wider.model.latent += 1;
    for refused in [resume(&config(1), &other), resume(&wider, &data())] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("belongs to another"), "{message}");
    }
}

#[test]
fn breaking_stops_within_the_epoch_and_keeps_what_was_done() {
    let Some(gpu) = common::gpu() else { return };
    let options = TrainOptions { steps_per_submission: Some(2), ..Default::default() };
    let trainer = trainer(&gpu, &config(1), options);
    let report = trainer.epoch(|_| ControlFlow::Break(())).unwrap().unwrap();
    // The first submission is seen to finish, and the second is in flight.
    assert_eq!((report.step, report.complete), (4, false));
    assert_eq!(report.test, None, "who interrupts wants to go");
    let rest = trainer.epochs().next().unwrap().unwrap();
    assert_eq!((rest.step, rest.complete), (11, true));
    assert!(trainer.is_finished());
}

/// Ends as if nobody had interrupted, by the same trainer and by another.
#[test]
fn an_evaluation_that_is_stopped_is_made_up_for() {
    let Some(gpu) = common::gpu() else { return };
    let whole = trainer(&gpu, &config(2), TrainOptions::default());
    let reports: Vec<_> = whole.epochs().map(Result::unwrap).collect();

    let part = trainer(&gpu, &config(2), TrainOptions::default());
    let stopped = || {
        let mut ends = 0;
        part.epoch(|Progress { step, steps, .. }| {
            ends += usize::from(step == steps);
            if ends > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    };
    let report = stopped().unwrap().unwrap();
    assert_eq!((report.epoch, report.step, report.complete), (1, 11, false));
    assert_eq!((&report.test, &report.train), (&None, &reports[0].train));
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    part.save_checkpoint(&checkpoint).unwrap();
    let options = TrainOptions::default();
    let other = Trainer::resume(&gpu, &config(2), &data(), options, &checkpoint).unwrap();
    for trainer in [&part, &other] {
        let rest: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
        let losses =
            |report: &EpochReport| (report.step, report.train.clone(), report.test.clone());
        assert!(rest.iter().map(losses).eq(reports.iter().map(losses)), "{rest:?}");
        assert!(rest.iter().all(|report| report.complete));
        assert_eq!(weights(&gpu, trainer), weights(&gpu, &whole));
    }
}

#[test]
fn models_without_hidden_layers_train() {
    let Some(gpu) = common::gpu() else { return };
    let mut config = config(3);
    config.model.encoder.clear();
    config.model.decoder = vec![LayerSpec::new("linear", Setting::Text("image".into()))];
    let trainer = trainer(&gpu, &config, TrainOptions::default());
    let before = weights(&gpu, &trainer);
    let losses: Vec<_> = trainer.epochs().map(|r| r.unwrap().train.loss).collect();
    assert!(losses[2] < losses[0], "{losses:?}");
    for (before, after) in before.iter().zip(weights(&gpu, &trainer)) {
        assert_ne!(*before, after);
    }
}

/// The longest step of plain descent is the learning rate times the norm that gradients are clipped
/// to.
#[test]
fn clipping_bounds_a_step() {
    let Some(gpu) = common::gpu() else { return };
    let mut config = config(1);
    config.train.clip_norm = Some(0.5);
    config.train.optimizer = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let options = TrainOptions { max_steps: Some(1), ..Default::default() };
    let trainer = trainer(&gpu, &config, options);
    let before = weights(&gpu, &trainer).concat();
    trainer.epochs().last().unwrap().unwrap();
    let after = weights(&gpu, &trainer).concat();
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let moved = before.iter().zip(&after).map(square).sum::<f64>().sqrt();
    let bound = 0.5 * config.train.learning_rate;
    assert!((moved / bound - 1.0).abs() < 1e-4, "moved by {moved:e}, not {bound:e}");
}

#[test]
fn the_step_of_the_preset_mlp_is_the_one_that_architecture_md_lists() {
    let Some(gpu) = common::gpu() else { return };
    let config = vae_gpu::Preset::MLP.config();
    let data = Dataset::new("blobs", table(images(130)), None).unwrap();
    let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default()).unwrap();
    let page = include_str!("../../ARCHITECTURE.md");
    let begin = page.find("input.gather.batch").unwrap();
    let listed = page[begin..].lines().take_while(|line| *line != "```");
    let listed: Vec<_> = listed.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(trainer.dispatches().collect::<Vec<_>>(), listed);
}
