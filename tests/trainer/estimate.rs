//! Log-likelihoods by importance sampling, against one that is known.

use std::f64::consts::PI;

use vae_gpu::config::ModelConfig;

use vae_gpu::Error;

use super::*;

const PIXELS: usize = 6;

/// A linear decoder of one latent variable, under a Gaussian: images are Gaussian, too.
fn linear(likelihood: &str) -> ModelConfig {
    let layers = "encoder = [{ linear = 3 }, 'tanh']\ndecoder = [{ linear = 'image' }]";
    toml::from_str(&format!("latent = 1\nlikelihood = {likelihood}\n{layers}")).unwrap()
}

fn images(count: usize) -> Images {
    let pixel = |i: usize| (i * 73 % 256) as u8;
    let shape = ImageShape { width: 3, height: 2, channels: 1 };
    Images { shape, pixels: (0..count * PIXELS).map(pixel).collect() }
}

/// −log of the density of x under a Gaussian of mean b and covariance w wᵀ + variance · I, which is known
/// by the matrix determinant lemma and Sherman and Morrison's formula.
fn exact(x: &[u8], w: &[f32], b: &[f32], variance: f64) -> f64 {
    let apart = |i: usize| f64::from(x[i]) / 255.0 - f64::from(b[i]);
    let dot: f64 = (0..PIXELS).map(|i| apart(i) * f64::from(w[i])).sum();
    let squares: f64 = (0..PIXELS).map(|i| apart(i).powi(2)).sum();
    let norm: f64 = w.iter().map(|w| f64::from(*w).powi(2)).sum();
    let determinant = PIXELS as f64 * variance.ln() + (1.0 + norm / variance).ln();
    let distance = (squares - dot * dot / (variance + norm)) / variance;
    0.5 * (distance + determinant + PIXELS as f64 * (2.0 * PI).ln())
}

/// Gives the model a posterior that is wider than the true one, so that the weights have a variance, and
/// parameters these values; returns the weight and the bias of the decoder.
fn changed(gpu: &Gpu, vae: &Vae, more: &[(&str, Vec<f32>)]) -> [Vec<f32>; 2] {
    let parameters = vae.parameters();
    let place =
        |name: &str| parameters.layout().specs().position(|spec| spec.name == name).unwrap();
    let mut values = parameters.read(gpu).unwrap();
    values[place("latent.weight")].iter_mut().for_each(|weight| *weight *= 0.2);
    values[place("latent.bias")] = vec![0.2, 0.4];
    more.iter().for_each(|(name, new)| values[place(name)] = new.clone());
    parameters.write(gpu, &values);
    ["decoder.0.weight", "decoder.0.bias"].map(|name| values[place(name)].clone())
}

#[test]
fn estimates_are_the_likelihood_of_a_linear_model() {
    let Some(gpu) = common::gpu() else { return };
    // Two blocks of images, the second not full; samples in several dispatches, the last not full.
    let (images, samples) = (images(70), 3001);
    for (likelihood, variance) in [("{ gaussian = 0.4 }", 0.16), ("'gaussian'", 0.5)] {
        let vae = Vae::new(&gpu, &linear(likelihood), images.shape, 3).unwrap();
        let [w, b] = changed(&gpu, &vae, &[]);
        let found = vae.neg_log_likelihood(&images, samples, 2, |_, _| ControlFlow::Continue(()));
        let found = found.unwrap().unwrap();
        assert_eq!((found.samples, found.images.len()), (samples, 70));
        let want: Vec<f64> =
            images.pixels.chunks(PIXELS).map(|x| exact(x, &w, &b, variance)).collect();
        for (i, (found, want)) in found.images.iter().zip(&want).enumerate() {
            // The estimates spread by 0.03 nats about it.
            assert!((found - want).abs() < 0.15, "{likelihood}, {i}: {found}, not {want}");
        }
        let mean = want.iter().sum::<f64>() / want.len() as f64;
        assert!((found.mean() - mean).abs() < 0.015, "{likelihood}: {}, not {mean}", found.mean());
        // Another way to the spread of a mean: half of the mean squared distance of all pairs.
        let pairs =
            found.images.iter().flat_map(|a| found.images.iter().map(move |b| (a - b).powi(2)));
        let error = (pairs.sum::<f64>() / 2.0 / (70.0 * 69.0) / 70.0).sqrt();
        assert!((found.standard_error().unwrap() / error - 1.0).abs() < 1e-9, "{likelihood}");
    }
}

/// A variable whose prior is given by another above it has the same marginal as a standard normal one, where
/// its mean is a part of that one and its variance the rest.
#[test]
fn estimates_go_up_the_levels() {
    let Some(gpu) = common::gpu() else { return };
    let images = images(70);
    let mut config = linear("{ gaussian = 0.4 }");
    config.levels = vec![
        toml::from_str("latent = 1\nencoder = [{ linear = 3 }, 'tanh']\ndecoder = []").unwrap(),
    ];
    let vae = Vae::new(&gpu, &config, images.shape, 3).unwrap();
    let more = [
        ("levels.0.latent.bias", vec![0.0, 0.2]),
        ("levels.0.prior.weight", vec![0.6, 0.0]),
        ("levels.0.prior.bias", vec![0.0, 0.64f32.ln()]),
    ];
    let [w, b] = changed(&gpu, &vae, &more);
    let found = vae.neg_log_likelihood(&images, 3001, 2, |_, _| ControlFlow::Continue(()));
    let exact = images.pixels.chunks(PIXELS).map(|x| exact(x, &w, &b, 0.16));
    let (found, want) = (found.unwrap().unwrap().mean(), exact.sum::<f64>() / 70.0);
    assert!((found - want).abs() < 0.02, "{found}, not {want}");
}

/// One sample is the plain bound; more come closer to the likelihood, from above.
#[test]
fn more_samples_are_tighter_and_a_seed_fixes_them() {
    let Some(gpu) = common::gpu() else { return };
    let images = images(500);
    let mut config = linear("'bernoulli'");
    config.latent = 4;
    let vae = Vae::new(&gpu, &config, images.shape, 3).unwrap();
    let estimate = |samples, seed| {
        let all = vae.neg_log_likelihood(&images, samples, seed, |_, _| ControlFlow::Continue(()));
        all.unwrap().unwrap()
    };
    let [one, ten, many] = [1, 10, 1000].map(|samples| estimate(samples, 1).mean());
    assert!(one > ten && ten > many, "{one}, {ten}, {many}");
    let scores = vae.score(&images, Noise::Seeded(1)).unwrap();
    let all = scores.recon.iter().chain(&scores.kl).map(|nats| f64::from(*nats));
    let bound = all.sum::<f64>() / images.len() as f64;
    assert!((one - bound).abs() < 0.1, "{one}, and the bound {bound}");
    assert_eq!(estimate(10, 1), estimate(10, 1));
    assert_ne!(estimate(10, 1), estimate(10, 2));
}

#[test]
fn an_estimate_may_be_broken_off_or_refused() {
    let Some(gpu) = common::gpu() else { return };
    let images = images(130);
    let vae = Vae::new(&gpu, &linear("'bernoulli'"), images.shape, 3).unwrap();
    let mut seen = Vec::new();
    let broken = vae.neg_log_likelihood(&images, 2, 1, |done, all| {
        seen.push((done, all));
        if done < 128 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((broken.unwrap(), seen), (None, vec![(64, 130), (128, 130)]));
    let go_on = |_, _| ControlFlow::Continue(());
    let none = vae.neg_log_likelihood(&images, 0, 1, go_on);
    assert!(matches!(none, Err(Error::Input(_))), "{none:?}");
    let plain = ModelConfig { variational: false, ..linear("'bernoulli'") };
    let plain = Vae::new(&gpu, &plain, images.shape, 3).unwrap();
    assert!(matches!(plain.neg_log_likelihood(&images, 1, 1, go_on), Err(Error::NoPrior)));
}
