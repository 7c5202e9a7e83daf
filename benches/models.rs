//! Trains families of models for as many epochs each and prints their log-likelihoods, for docs/models.md:
//!
//! ```sh
//! cargo bench --bench models -- MNIST EPOCHS SEEDS [NAME]    # folder of the data, and whole numbers
//! ```

use std::ops::ControlFlow;

use vae_gpu::config::{Bound, DataConfig, Gradient};
use vae_gpu::model::Input;
use vae_gpu::{Config, Dataset, Error, Gpu, Preset, Result, Table, TrainOptions, Trainer, Tune};

/// Samples and images of an estimate.
const SAMPLES: usize = 500;
const IMAGES: usize = 1000;

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [data, epochs, seeds, only @ ..] = &arguments[..] else {
        println!("benches/models.rs says what it takes; nothing is trained without");
        return Ok(());
    };
    let whole = |text: &String| {
        let number = text.parse::<u32>();
        number.map_err(|_| Error::Input(format!("{text} is no whole number")))
    };
    let (epochs, seeds) = (whole(epochs)?, whole(seeds)?);
    let path = std::path::Path::new(data).canonicalize().map_err(Error::io("read", data))?;
    let data = DataConfig { path, ..DataConfig::default() }.read()?;
    let gpu = Gpu::new()?;
    println!("{}, {}\n", gpu.report().name, gpu.report().driver);
    println!("| model | test loss | negative log-likelihood | seeds | seconds |");
    println!("|---|--:|--:|--:|--:|");
    // Those of which a part of the name was given.
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part));
    for (name, mut config) in models().into_iter().filter(|(name, _)| is_wanted(name)) {
        (config.train.epochs, config.train.batch_size) = (epochs, 100);
        let (mut losses, mut estimates, begun) =
            (Vec::new(), Vec::new(), std::time::Instant::now());
        for seed in 1..=seeds {
            config.train.seed = seed.into();
            let (loss, estimate) = trained(&gpu, &config, &data)?;
            eprintln!("{name}, seed {seed}: {loss:.2}, {estimate:.2}");
            losses.push(loss);
            estimates.push(estimate);
        }
        let seconds = begun.elapsed().as_secs() / u64::from(seeds);
        let estimates_all: Vec<_> = estimates.iter().map(|nats| format!("{nats:.2}")).collect();
        println!(
            "| {name} | {:.2} | {:.2} | {} | {seconds} |",
            mean(&losses),
            mean(&estimates),
            estimates_all.join(", ")
        );
    }
    Ok(())
}

/// The models by their names, on binarised pixels.
fn models() -> Vec<(&'static str, Config)> {
    let preset = |name: &str| name.parse::<Preset>().expect("a preset").config();
    let (one, two) = (preset("iwae"), preset("hierarchical"));
    let with = |config: &Config, samples: usize, bound: Bound| {
        let mut config = config.clone();
        (config.model.samples, config.model.bound) = (samples, bound);
        config
    };
    let mut dreg = with(&one, 5, Bound::Iwae);
    dreg.model.gradient = Gradient::Dreg;
    let mut conditional = with(&one, 1, Bound::Elbo);
    conditional.model.condition = preset("conditional").model.condition;
    vec![
        ("one layer, plain bound", with(&one, 1, Bound::Elbo)),
        ("one layer, plain bound of 5 samples", with(&one, 5, Bound::Elbo)),
        ("one layer, importance-weighted, 5 samples", with(&one, 5, Bound::Iwae)),
        ("the same, doubly reparameterized", dreg),
        ("one layer, importance-weighted, 50 samples", with(&one, 50, Bound::Iwae)),
        ("two layers, plain bound", with(&two, 1, Bound::Elbo)),
        ("two layers, importance-weighted, 5 samples", with(&two, 5, Bound::Iwae)),
        ("one layer, plain bound, given the label", conditional),
    ]
}

/// The test loss and the estimate of the negative log-likelihood of the first images of the test split.
fn trained(gpu: &Gpu, config: &Config, data: &Dataset) -> Result<(f64, f64)> {
    let options = TrainOptions { tune: Tune::Quick, ..TrainOptions::default() };
    let trainer = Trainer::new(gpu, config, data, options)?;
    let last = trainer.epochs().last().expect("an epoch")?;
    let test: &Table = data.test.as_ref().expect("MNIST has a test split");
    let table = test.select(&(0..IMAGES.min(test.len())).collect::<Vec<_>>());
    let model = trainer.model();
    let images = Input::of(model.config(), &table, 0);
    let estimate =
        model.neg_log_likelihood(images, SAMPLES, 0, |_, _| ControlFlow::Continue(()))?;
    Ok((last.test_or_train().loss, estimate.expect("nothing breaks it off").mean()))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
