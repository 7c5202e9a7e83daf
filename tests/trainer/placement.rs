//! Where the data lie changes no bit: on the adapter in one buffer or in several, in the host's memory,
//! in a file.

use std::path::Path;

use vae_gpu::config::TrainConfig;
use vae_gpu::gpu::AdapterOptions;
use vae_gpu::nn::Argument;
use vae_gpu::ops::expression::IDENTITY;
use vae_gpu::train::{EpochReport, Placement};
use vae_gpu::{
    Column, Dataset, Error, Gpu, Model, Noise, PackedImages, Phase, Step, Table, Term,
    TrainOptions, Trainer, Vae,
};

use crate::{common, config, data, weights};

/// The largest binding of an adapter on which the images of [`data`], 13 KB, take four buffers.
const SMALL: u64 = 4096;

/// The losses that a run reports, and its last weights.
#[derive(Debug, PartialEq)]
struct Outcome {
    losses: Vec<(f64, f64)>,
    weights: Vec<Vec<f32>>,
}

fn outcome(gpu: &Gpu, trainer: &Trainer, reports: &[EpochReport]) -> Outcome {
    let losses = reports
        .iter()
        .map(|report| (report.train.loss, report.test.as_ref().unwrap().loss))
        .collect();
    Outcome { losses, weights: weights(gpu, trainer) }
}

fn trained(gpu: &Gpu, data: &Dataset, options: TrainOptions) -> Outcome {
    let trainer = Trainer::new(gpu, &config(3), data, options).unwrap();
    let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
    outcome(gpu, &trainer, &reports)
}

/// Windows that hold a batch of 20, a few of them, and all rows; with submissions that fit no ring.
fn streamed() -> impl Iterator<Item = TrainOptions> {
    [(1, None), (64 * 20, None), (64 * 67, Some(2)), (64 * 100, Some(3)), (1 << 20, None)]
        .map(|(window, steps_per_submission)| TrainOptions {
            placement: Placement::Streamed { window },
            steps_per_submission,
            ..Default::default()
        })
        .into_iter()
}

/// The dataset with its images in the file at `path`, behind `offset` bytes of something else.
fn packed(path: &Path, offset: usize) -> Dataset {
    let data = data();
    let test = data.test.as_ref().unwrap();
    let [train, test] = [(&data.train, "train"), (test, "test")].map(|(table, name)| {
        let (images, path) = (table.images().unwrap(), path.join(name));
        std::fs::write(&path, [&vec![7; offset][..], &images.pixels].concat()).unwrap();
        let images = PackedImages::open(path, images.shape, images.len(), offset as u64).unwrap();
        Table::new().with(Table::IMAGE, Column::Packed(images)).unwrap()
    });
    Dataset::new("blobs", train, Some(test)).unwrap()
}

#[test]
fn a_run_has_the_same_bits_wherever_its_data_lie() {
    let Some(gpu) = common::gpu() else { return };
    let resident = trained(&gpu, &data(), TrainOptions::default());
    for options in streamed() {
        assert_eq!(trained(&gpu, &data(), options), resident, "{options:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let packed = packed(folder.path(), 13);
    assert_eq!(trained(&gpu, &packed, TrainOptions::default()), resident, "in a file");
    for options in streamed() {
        assert_eq!(trained(&gpu, &packed, options), resident, "in a file, {options:?}");
    }
}

#[test]
fn several_buffers_give_the_bits_of_one() {
    let Some(gpu) = common::gpu() else { return };
    let report = gpu.report();
    let options = AdapterOptions {
        adapter: Some(report.index.to_string()),
        max_binding_bytes: Some(SMALL),
        ..Default::default()
    };
    // A batch of 20 by 24 hidden units, and weights of 64 by 24, have to fit there, too.
    let small = Gpu::with_options(&options).unwrap();
    let mut config = config(2);
    config.model.encoder.truncate(0);
    config.model.decoder = config.model.decoder.split_off(2);
    config.train.batch_size = 10;
    let run = |gpu: &Gpu| {
        let trainer = Trainer::new(gpu, &config, &data(), TrainOptions::default()).unwrap();
        let gathers = trainer.dispatches().filter(|label| label.contains("gather")).count();
        let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
        (gathers, outcome(gpu, &trainer, &reports))
    };
    let ((one, whole), (several, in_parts)) = (run(&gpu), run(&small));
    assert_eq!([one, several], [1, 4], "a dispatch for each buffer");
    assert_eq!(in_parts, whole);
}

#[test]
fn a_run_goes_on_with_the_same_bits_wherever_its_data_lay() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, packed) =
        (folder.path().join("checkpoint.safetensors"), packed(folder.path(), 0));
    let (whole, options) = (data(), TrainOptions::default());
    let begun = |data: &Dataset, options: TrainOptions| {
        // In the midst of the second epoch.
        let options = TrainOptions { max_steps: Some(16), ..options };
        let trainer = Trainer::new(&gpu, &config(3), data, options).unwrap();
        trainer.epochs().for_each(|report| drop(report.unwrap()));
        trainer.save_checkpoint(&checkpoint).unwrap();
    };
    let ended = |data: &Dataset, options: TrainOptions| {
        let trainer = Trainer::resume(&gpu, &config(3), data, options, &checkpoint).unwrap();
        trainer.epochs().for_each(|report| drop(report.unwrap()));
        weights(&gpu, &trainer)
    };
    begun(&whole, options);
    let resident = ended(&whole, options);
    for streaming in streamed().skip(1) {
        assert_eq!(ended(&packed, streaming), resident, "resident, then {streaming:?} from a file");
        begun(&packed, streaming);
        assert_eq!(ended(&whole, options), resident, "{streaming:?} from a file, then resident");
        begun(&whole, options);
    }
}

/// A model whose losses are values of its columns, by no parameters.
struct Shown(Vae);

impl Model for Shown {
    fn weights(&self) -> &vae_gpu::nn::Weights {
        self.0.network().weights()
    }

    fn record(&self, step: &mut Step) -> vae_gpu::Result<Phase> {
        let terms = ["value", "count", "class"].into_iter().enumerate().map(|(i, name)| {
            let column = step.column(name)?;
            let first = Argument::Columns(column, 0..1);
            let sum = step.graph.row_sums(name, &IDENTITY, &[], &[first]);
            Ok(Term::new(name, sum).weighted(10f64.powi(i as i32)))
        });
        let terms = terms.collect::<vae_gpu::Result<Vec<_>>>()?;
        Ok(Phase::new("step", terms))
    }
}

/// Columns of every kind are streamed together.
#[test]
fn every_kind_of_column_is_streamed() {
    let Some(gpu) = common::gpu() else { return };
    let rows = 61;
    let table = || {
        let values: Vec<f32> = (0..rows * 5).map(|i| (i * 7 % 31) as f32 / 31.0).collect();
        let counts: Vec<u32> = (0..rows * 3).map(|i| (i * 5 % 13) as u32).collect();
        let classes: Vec<u32> = (0..rows).map(|i| (i * 3 % 4) as u32).collect();
        Table::new()
            .with("value", Column::floats(&[5], values))
            .and_then(|table| table.with("count", Column::counts(&[3], counts)))
            .and_then(|table| table.with("class", Column::classes(["a", "b", "c", "d"], classes)))
            .unwrap()
    };
    let train = TrainConfig { batch_size: 8, epochs: 2, ..config(2).train };
    let run = |placement| {
        let data = Dataset::new("rows", table(), None).unwrap();
        let model = Shown(Vae::new(&gpu, &config(1).model, [1, 8, 8].into(), 1).unwrap());
        let options = TrainOptions { placement, ..Default::default() };
        let trainer = Trainer::with_model(&gpu, model, &train, &data, options).unwrap();
        let losses: Vec<_> = trainer.epochs().map(|report| report.unwrap().train.loss).collect();
        losses
    };
    let resident = run(Placement::Auto);
    for window in [1, 300, 700] {
        assert_eq!(run(Placement::Streamed { window }), resident, "{window} bytes at a time");
    }
}

#[test]
fn a_file_that_becomes_shorter_is_named() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = packed(folder.path(), 0);
    let options =
        TrainOptions { placement: Placement::Streamed { window: 1 }, ..Default::default() };
    let trainer = Trainer::new(&gpu, &config(1), &data, options).unwrap();
    let path = folder.path().join("train");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(6000).unwrap();
    let error = trainer.epochs().next().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Io { path: at, .. } if *at == path), "{error}");
    let error = PackedImages::open(&path, [1, 8, 8], 203, 0).unwrap_err().to_string();
    assert!(error.contains("has 6000 bytes, and 203 images of 8x8x1 end at 12992"), "{error}");
}

/// A held-out part of images in a file is a choice of them, not a copy.
#[test]
fn packed_images_are_held_out_as_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = packed(folder.path(), 3);
    let mut whole = data();
    (packed.test, whole.test) = (None, None);
    let [packed, whole] = [packed, whole].map(|data| data.hold_out(0.2, 5).unwrap());
    for (packed, whole) in
        [(packed.train, whole.train), (packed.test.unwrap(), whole.test.unwrap())]
    {
        assert!(matches!(packed.column(Table::IMAGE), Some(Column::Packed(_))));
        let all: Vec<usize> = (0..packed.len()).collect();
        assert_eq!(&packed.read_images(&all).unwrap(), whole.images().unwrap());
        assert_eq!(packed.read_images(&[7, 3]).unwrap(), whole.read_images(&[7, 3]).unwrap());
    }
}

/// Images in a file are encoded, reconstructed and scored as those in memory.
#[test]
fn a_table_goes_through_a_model_wherever_its_images_lie() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (packed, whole) = (packed(folder.path(), 5), data());
    let vae = Vae::new(&gpu, &config(1).model, whole.shape().unwrap(), 1).unwrap();
    let images = whole.train.images().unwrap();
    let noise = Noise::Seeded(3);
    let codes = vae.encode(images).unwrap();
    for table in [&packed.train, &whole.train] {
        assert_eq!(vae.encode(table).unwrap(), codes);
        assert_eq!(vae.reconstruct(table).unwrap(), vae.reconstruct(images).unwrap());
        assert_eq!(vae.score(table, noise).unwrap(), vae.score(images, noise).unwrap());
    }
}
