//! Walks through the latent space: encodes two images, goes from one code to the other, and decodes what
//! lies on the way; then finds the images that the model thinks least of.
//!
//! `cargo run --release --example latent` leaves `walk.png` and `unlikely.png` in this folder.

use std::path::Path;

use vae_gpu::{Dataset, Gpu, Noise, Preset, Result, TrainOptions, Trainer};

fn main() -> Result<()> {
    run(Path::new("."))
}

pub fn run(folder: &Path) -> Result<()> {
    let gpu = Gpu::new()?;
    let data = Dataset::digits();
    let mut config = Preset::MLP.config();
    config.train.epochs = 2;
    let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default())?;
    for report in trainer.epochs() {
        println!("{}", report?);
    }
    let vae = trainer.model(); // or Vae::load(&gpu, "runs/mlp-digits")?

    // From one image's code to another's, ten steps for each of five pairs.
    let images = data.test.expect("the digits have a test split").into_images()?;
    let codes = vae.encode(&images.select(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))?;
    let mut walk = Vec::new();
    for pair in codes.mean.chunks(2 * codes.latent) {
        let (from, to) = pair.split_at(codes.latent);
        for step in 0..10 {
            let t = step as f32 / 9.0;
            walk.extend(from.iter().zip(to).map(|(from, to)| from + t * (to - from)));
        }
    }
    vae.decode(&walk)?.save_grid(folder.join("walk.png"), 10)?;

    // The negative bound of each image, in nats; the highest are the least likely.
    let scores = vae.score(&images, Noise::Mean(0))?;
    let loss = |i: &usize| scores.recon[*i] + scores.kl[*i];
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by(|a, b| loss(b).total_cmp(&loss(a)));
    println!("from {:.1} to {:.1} nats", loss(&order[images.len() - 1]), loss(&order[0]));
    images.select(&order[..50]).save_grid(folder.join("unlikely.png"), 10)
}
