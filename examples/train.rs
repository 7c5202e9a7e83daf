//! Trains the classic VAE on the built-in digits, keeps the best model, and draws new digits with it.
//!
//! `cargo run --release --example train` leaves `best.safetensors` and `samples.png` in this folder.

use std::path::Path;

use vae_gpu::{Dataset, Gpu, Preset, Result, TrainOptions, Trainer, Vae};

fn main() -> Result<()> {
    run(Path::new("."))
}

pub fn run(folder: &Path) -> Result<()> {
    let gpu = Gpu::new()?;
    let data = Dataset::digits(); // or Dataset::open("a folder of images")?
    let mut config = Preset::MLP.config();
    config.train.epochs = 2;

    let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default())?;
    let (model, mut best) = (folder.join("best.safetensors"), f64::INFINITY);
    for report in trainer.epochs() {
        let report = report?;
        println!("{report}");
        let losses = report.test.expect("the digits have a test split");
        if losses.loss < best {
            best = losses.loss;
            trainer.model().save(&model)?;
        }
    }

    let vae = Vae::load(&gpu, &model)?;
    vae.sample(64)?.save_grid(folder.join("samples.png"), 8)
}
