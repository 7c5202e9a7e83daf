//! Measures what streaming costs: the same steps on data that lie on the adapter, in memory and in a
//! file, by turns.
//!
//! `cargo bench --bench streaming [-- PRESET [STEPS [ROUNDS]]]`; `mlp`, 150 and 9 by default. Prints the
//! median time of a step, and its ratio to that with the data on the adapter.

use std::io::Write;
use std::ops::ControlFlow;

use vae_gpu::train::Placement;
use vae_gpu::{
    Column, Dataset, Error, Gpu, Images, PackedImages, Preset, Table, TrainOptions, Trainer, Tune,
};

fn main() -> vae_gpu::Result<()> {
    // Cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |i: usize, default| {
        words.get(i).map_or(default, |word| word.parse().expect("a number of steps, or of rounds"))
    };
    let preset: Preset = words.first().map_or("mlp", String::as_str).parse()?;
    let (steps, rounds) = (number(1, 150), number(2, 9));
    let (gpu, mut config) = (Gpu::new()?, preset.config());
    config.train.epochs = 1;

    // The dataset has as many images as the steps take, so that an epoch is a measurement.
    let (shape, count) = (preset.shape(), steps * config.train.batch_size);
    let pixels = (0..count * shape.pixels()).map(|i| (i * 7 % 255) as u8).collect();
    let images = Images { shape, pixels };
    let mut file =
        tempfile::NamedTempFile::new().map_err(Error::io("create", std::env::temp_dir()))?;
    file.write_all(&images.pixels).map_err(Error::io("write", file.path()))?;
    let packed = PackedImages::open(file.path(), shape, count, 0)?;
    let data = |column| Dataset::new("made", Table::new().with(Table::IMAGE, column)?, None);
    let (whole, packed) = (data(Column::Images(images))?, data(Column::Packed(packed))?);

    let cases = [
        ("adapter", &whole, Placement::Auto),
        ("memory", &whole, Placement::STREAMED),
        ("file", &packed, Placement::STREAMED),
    ];
    let mut seconds = cases.map(|_| Vec::new());
    let trainers = || {
        cases.map(|(_, data, placement)| {
            let options = TrainOptions { placement, tune: Tune::Quick, ..Default::default() };
            Trainer::new(&gpu, &config, data, options)
        })
    };
    // The first round is not counted: kernels are compiled in it, and the pace is found.
    for round in 0..=rounds {
        for (times, trainer) in seconds.iter_mut().zip(trainers()) {
            let report = trainer?.epoch(|_| ControlFlow::Continue(()))?;
            let report = report.expect("there is an epoch to train");
            times.extend((round > 0).then_some(report.seconds / steps as f64));
        }
    }
    println!("{} ({}): a step, {steps} an epoch", gpu.report().name, gpu.report().kind);
    let medians = seconds.map(|mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    for ((name, ..), median) in cases.iter().zip(medians) {
        println!("{name:<8} {:>9.3} ms {:>6.2}", 1e3 * median, median / medians[0]);
    }
    Ok(())
}
