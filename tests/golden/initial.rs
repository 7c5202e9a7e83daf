//! Initial values against the ranges that PyTorch draws them from: see initial.py beside this file.

use serde::Deserialize;
use vae_gpu::config::ModelConfig;
use vae_gpu::{ImageShape, Vae};

use super::{File, common};

#[derive(Deserialize)]
struct Described {
    image: [usize; 3],
    latent: usize,
    layers: String,
}

#[test]
fn initial_values_are_drawn_from_pytorchs_ranges() {
    let Some(gpu) = common::gpu() else { return };
    let file = File::read("initial.safetensors");
    let Described { image: [channels, height, width], latent, layers } = file.config();
    let config = ModelConfig { latent, ..toml::from_str(&layers).unwrap() };
    let vae = Vae::new(&gpu, &config, ImageShape { width, height, channels }, 1).unwrap();
    let mut count = 0;
    for kept in [vae.parameters(), vae.statistics()] {
        for (spec, values) in kept.layout().specs().zip(kept.read(&gpu).unwrap()) {
            let range = file.floats(&spec.name);
            assert_range(&spec.name, &values, [range[0], range[1]]);
            count += 1;
        }
    }
    assert_eq!(count, file.names().len(), "PyTorch has others");
}

/// Panics unless `values` are uniform between the ends of a range, as far as that many can tell.
fn assert_range(name: &str, values: &[f32], [from, to]: [f64; 2]) {
    if from == to {
        assert!(values.iter().all(|value| f64::from(*value) == from), "{name}: {values:?}");
        return;
    }
    // As shares of the range.
    let shares: Vec<_> = values.iter().map(|v| (f64::from(*v) - from) / (to - from)).collect();
    let n = shares.len() as f64;
    // One in a million has its least value, or its largest, further from the ends.
    let near = 1.0 - 1e-6f64.powf(1.0 / n);
    let [least, largest] = [f64::min, f64::max].map(|f| shares.iter().copied().reduce(f).unwrap());
    assert!((-1e-6..=near).contains(&least), "{name}: from {least} of the range");
    assert!((-1e-6..=near).contains(&(1.0 - largest)), "{name}: to {largest} of the range");
    // The means of u and of (2u − 1)² have variances of 1/12 and 4/45.
    let mean = shares.iter().sum::<f64>() / n;
    let square = shares.iter().map(|u| (2.0 * u - 1.0).powi(2)).sum::<f64>() / n;
    for error in [(mean - 0.5) * 12f64.sqrt(), (square - 1.0 / 3.0) * (45f64 / 4.0).sqrt()] {
        assert!(error.abs() < 4.0 / n.sqrt(), "{name}: {} deviations", error * n.sqrt());
    }
}
