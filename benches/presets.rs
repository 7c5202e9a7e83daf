//! Trains every preset on its data and prints the table of docs/presets.md:
//!
//! ```sh
//! cargo bench --bench presets -- MNIST COLOUR OUT    # folders of the data, and for the runs
//! cargo bench --bench presets -- --kl MNIST OUT      # what keeps latent variables from collapsing
//! ```

use std::path::{Path, PathBuf};

use vae_gpu::config::{DataConfig, KlSchedule, ModelConfig};
use vae_gpu::nn::{LayerSpec, Setting};
use vae_gpu::ops::likelihood::{Likelihood, Scale};
use vae_gpu::train::{Losses, RunFolder};
use vae_gpu::{
    Config, Dataset, Error, Evaluator, Gpu, Noise, Preset, Result, Table, TrainOptions, Trainer,
    Tune, Vae,
};

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--kl", mnist, out] => collapse(&Gpu::new()?, mnist.as_ref(), out.as_ref()),
        [mnist, colour, out, ref only @ ..] => {
            presets(&Gpu::new()?, [mnist, colour].map(Path::new), out.as_ref(), only)
        }
        _ => {
            println!("benches/presets.rs says what it takes; nothing is trained without");
            Ok(())
        }
    }
}

/// A trained model.
struct Trained {
    untrained: Losses,
    losses: Losses,
}

/// Trains as `vae-gpu train` does, and leaves the run in `folder`.
fn train(gpu: &Gpu, config: &Config, data: &Dataset, folder: &Path) -> Result<Trained> {
    let test = test(data);
    let options = TrainOptions { tune: Tune::Quick, ..TrainOptions::default() };
    let trainer = Trainer::new(gpu, config, data, options)?;
    let mut run = RunFolder::create(folder, &trainer, data, true)?;
    let untrained = evaluate(trainer.model(), test, config)?;
    while let Some(report) = trainer.epoch(|_| std::ops::ControlFlow::Continue(()))? {
        eprintln!("{}: {report}", folder.display());
        run.push(&report);
    }
    run.save(&trainer, data)?;
    Ok(Trained { untrained, losses: evaluate(trainer.model(), test, config)? })
}

fn test(data: &Dataset) -> &Table {
    data.test.as_ref().unwrap_or(&data.train)
}

fn evaluate(model: &Vae, table: &Table, config: &Config) -> Result<Losses> {
    let noise = Noise::Seeded(config.train.seed);
    Evaluator::new(model, table, config.train.batch_size, noise)?.run()
}

fn presets(gpu: &Gpu, [mnist, colour]: [&Path; 2], out: &Path, only: &[&str]) -> Result<()> {
    println!("{}, {}\n", gpu.report().name, gpu.report().driver);
    println!(
        "| preset | images | epochs | untrained | mean image | test loss | recon | kl | active |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|");
    for preset in Preset::ALL {
        if !only.is_empty() && !only.contains(&preset.name()) {
            continue;
        }
        let mut config = preset.config();
        let path = if preset.shape().channels == 3 { colour } else { mnist };
        config.data = DataConfig { path: absolute(path)?, ..config.data };
        let data = config.data.read()?;
        let baseline = mean_image(gpu, &config, &data)?;
        let Trained { untrained, losses } = train(gpu, &config, &data, &out.join(preset.name()))?;
        let active = match config.model.variational {
            true if !config.model.is_deep() => {
                format!("{} of {}", losses.active_units, config.model.latent)
            }
            _ => "-".into(),
        };
        println!(
            "| `{}` | {} | {} | {:.2} | {baseline:.2} | {:.2} | {:.2} | {:.2} | {active} |",
            preset.name(),
            data.name,
            config.train.epochs,
            untrained.loss,
            losses.loss,
            losses.term("recon").unwrap_or(f64::NAN),
            losses.kl().unwrap_or(f64::NAN),
        );
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(Error::io("read the dataset", path))
}

/// The test loss of a decoder that shows the training images' mean, whatever it is given, under the
/// configuration's likelihood; a learnt scale is at its best.
fn mean_image(gpu: &Gpu, config: &Config, data: &Dataset) -> Result<f64> {
    let train = data.train.images()?;
    let size = train.shape.pixels();
    let mut mean = vec![0.0f64; size];
    for image in train.pixels.chunks(size) {
        mean.iter_mut().zip(image).for_each(|(mean, pixel)| *mean += f64::from(*pixel) / 255.0);
    }
    mean.iter_mut().for_each(|mean| *mean /= train.len() as f64);
    let likelihood = config.model.likelihood;
    let output = |mean: f64| {
        // Pixels that are black in every image have no logit.
        let mean = if likelihood.takes_logits() { mean.clamp(1e-4, 1.0 - 1e-4) } else { mean };
        if likelihood.takes_logits() { (mean / (1.0 - mean)).ln() } else { mean }
    };
    let bias: Vec<f32> = mean.into_iter().map(|mean| output(mean) as f32).collect();
    let constant = |likelihood: Likelihood| {
        let decoder = vec![LayerSpec::new("linear", Setting::Text("image".into()))];
        let shown = ModelConfig { latent: 1, likelihood, decoder, ..ModelConfig::default() };
        let shown = ModelConfig { encoder: Vec::new(), ..shown };
        let model = Vae::new(gpu, &shown, train.shape, 1)?;
        let specs: Vec<_> = model.parameters().layout().specs().cloned().collect();
        let values = specs.iter().map(|spec| match spec.name.as_str() {
            "decoder.0.bias" => bias.clone(),
            _ => vec![0.0; spec.len()],
        });
        model.parameters().write(gpu, &values.collect::<Vec<_>>());
        Ok::<f64, Error>(evaluate(&model, test(data), config)?.term("recon").unwrap_or(f64::NAN))
    };
    match likelihood {
        Likelihood::Gaussian(Scale::Learnt) => {
            let variance = constant(Likelihood::SquaredError)? / size as f64;
            constant(Likelihood::Gaussian(Scale::Fixed(variance.sqrt())))
        }
        Likelihood::Laplace(Scale::Learnt) => {
            let distance = constant(Likelihood::Laplace(Scale::Fixed(1.0)))? / size as f64;
            constant(Likelihood::Laplace(Scale::Fixed(distance - 2f64.ln())))
        }
        likelihood => constant(likelihood),
    }
}

/// Latent variables that stay active under a heavy KL divergence.
fn collapse(gpu: &Gpu, mnist: &Path, out: &Path) -> Result<()> {
    println!("{}, {}\n", gpu.report().name, gpu.report().driver);
    println!("| KL weight | remedy | recon | kl | active |");
    println!("|--:|---|--:|--:|--:|");
    let mut config = Preset::MLP.config();
    config.data = DataConfig { path: absolute(mnist)?, ..config.data };
    config.train.epochs = 5;
    let data = config.data.read()?;
    for weight in [4.0, 8.0] {
        for (name, schedule, free_bits) in [
            ("none", None, 0.0),
            ("warm-up, 3 epochs", Some(KlSchedule::Warmup(3.0)), 0.0),
            ("free bits, 0.25 nats each", None, 0.25),
            ("both", Some(KlSchedule::Warmup(3.0)), 0.25),
        ] {
            config.model.kl_weight = weight;
            config.model.kl_schedule = schedule;
            config.model.free_bits = free_bits;
            let folder = out.join(format!("kl-{weight}-{}", name.replace([' ', ','], "")));
            let losses = train(gpu, &config, &data, &folder)?.losses;
            let [recon, kl] = ["recon", "kl"].map(|name| losses.term(name).unwrap_or(f64::NAN));
            let active_units = losses.active_units;
            let latent = config.model.latent;
            println!("| {weight} | {name} | {recon:.2} | {kl:.2} | {active_units} of {latent} |");
        }
    }
    Ok(())
}
