//! Latent variables above others, and other priors.

use vae_gpu::Error;
use vae_gpu::config::{ModelConfig, Prior};

use super::*;

const LEVEL: &str = "[[levels]]\nlatent = 2\nencoder = [{ linear = 9 }, 'tanh']\n\
                     decoder = [{ linear = 8 }, 'tanh']\n";

/// The model of the other tests with this much more.
fn with(toml: &str, epochs: u32) -> Config {
    let mut config = config(epochs);
    let more: ModelConfig = toml::from_str(toml).unwrap();
    config.model = ModelConfig {
        encoder: config.model.encoder,
        decoder: config.model.decoder,
        latent: config.model.latent,
        ..more
    };
    config
}

#[test]
fn levels_and_priors_learn_and_are_of_use() {
    let Some(gpu) = common::gpu() else { return };
    let two = format!("{LEVEL}{LEVEL}");
    let several = format!("samples = 3\nbound = 'iwae'\n{LEVEL}");
    let warm = format!("kl_schedule = {{ warmup = 2 }}\n{LEVEL}kl_schedule = {{ warmup = 4 }}\n");
    for (toml, levels) in [
        (LEVEL, 2),
        (&two, 3),
        (&several, 2),
        (&warm, 2),
        ("prior = 'laplace'", 1),
        ("prior = 'laplace'\nsamples = 2\nbound = 'iwae'\ngradient = 'dreg'", 1),
    ] {
        let trainer = trainer(&gpu, &with(toml, 12), TrainOptions::default());
        let before = weights(&gpu, &trainer);
        let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
        let last = reports[11].test.as_ref().unwrap();
        let first = reports[0].test.as_ref().unwrap();
        assert!(last.loss < 0.95 * first.loss, "{toml}: {} and {}", first.loss, last.loss);
        let specs = trainer.model().parameters().layout().specs();
        for ((spec, before), after) in specs.zip(before).zip(weights(&gpu, &trainer)) {
            assert_ne!(before, after, "{toml}: {} has not moved", spec.name);
        }
        // Each level has its term.
        let is_level = |name: &str| name == "kl" || name.starts_with("kl.");
        let divergences: Vec<_> = last.terms.iter().filter(|(name, _)| is_level(name)).collect();
        assert_eq!(divergences.len(), levels, "{toml}: {:?}", last.terms);
        let sum: f64 = divergences.iter().map(|(_, value)| value).sum();
        assert!((last.kl().unwrap() - sum).abs() < 1e-9, "{toml}");

        let vae = trainer.model();
        let images = images(37);
        assert_eq!(vae.reconstruct(&images).unwrap().len(), 37);
        assert_eq!(vae.encode(&images).unwrap().mean.len(), 37 * 3);
        let made = vae.sample_seeded(300, 4).unwrap();
        assert_eq!(vae.sample_seeded(5, 4).unwrap().pixels, made.pixels[..5 * 64]);
        assert_eq!(vae.decode(&vae.prior(300, 4).unwrap()).unwrap(), made);
        // The bound of one sample is that of the estimate of one; more samples are tighter.
        let nll = |samples| {
            let go_on = |_, _| ControlFlow::Continue(());
            vae.neg_log_likelihood(&images, samples, 1, go_on).unwrap().unwrap().mean()
        };
        let scores = vae.score(&images, Noise::Seeded(1)).unwrap();
        let all = scores.recon.iter().chain(&scores.kl).map(|nats| f64::from(*nats));
        let bound = all.sum::<f64>() / 37.0;
        assert!((bound - nll(1)).abs() < 0.1 * bound, "{toml}: {bound} and {}", nll(1));
        assert!(nll(200) < bound, "{toml}: {} and {bound}", nll(200));
    }
}

/// z of a level below is drawn by the prior that the level above gives.
#[test]
fn draws_go_down_the_levels() {
    let Some(gpu) = common::gpu() else { return };
    let config = with("[[levels]]\nlatent = 1\nencoder = []\ndecoder = []", 1).model;
    let vae = Vae::new(&gpu, &config, images(1).shape, 1).unwrap();
    let parameters = vae.parameters();
    let mut values = parameters.read(&gpu).unwrap();
    let place =
        |name: &str| parameters.layout().specs().position(|spec| spec.name == name).unwrap();
    // Means of 0.6, -0.8 and 2 times the variable above, and 1 more; variances of 0.64, 0.36 and 1.
    values[place("levels.0.prior.weight")] = vec![0.6, -0.8, 2.0, 0.0, 0.0, 0.0];
    let logs = [0.64f32, 0.36, 1.0].map(f32::ln);
    values[place("levels.0.prior.bias")] = [&[1.0, 1.0, 1.0][..], &logs].concat();
    parameters.write(&gpu, &values);
    let count = 40_000;
    let z = vae.prior(count, 7).unwrap();
    let mean = |f: &dyn Fn(&[f32]) -> f32| {
        z.chunks(3).map(|z| f64::from(f(z))).sum::<f64>() / count as f64
    };
    for (i, variance) in [1.0, 1.0, 5.0].into_iter().enumerate() {
        let (average, square) = (mean(&|z| z[i]), mean(&|z| (z[i] - 1.0).powi(2)));
        assert!((average - 1.0).abs() < 0.05, "{i}: {average}");
        assert!((square / variance - 1.0).abs() < 0.05, "{i}: {square}");
    }
    // They have the one above in common.
    let shared = mean(&|z| (z[0] - 1.0) * (z[1] - 1.0));
    assert!((shared + 0.48).abs() < 0.03, "{shared}");
}

/// The moments of a Laplace distribution of scale 1: variance 2, E|z| = 1, and a kurtosis of 6.
#[test]
fn draws_of_a_laplace_prior_have_its_moments() {
    let Some(gpu) = common::gpu() else { return };
    let vae = Vae::new(&gpu, &with("prior = 'laplace'", 1).model, images(1).shape, 1).unwrap();
    let z = vae.prior(60_000, 3).unwrap();
    assert_eq!(z[..30], vae.prior(10, 3).unwrap());
    let mean =
        |f: &dyn Fn(f64) -> f64| z.iter().map(|z| f(f64::from(*z))).sum::<f64>() / z.len() as f64;
    assert!(mean(&|z| z).abs() < 0.02);
    assert!((mean(&f64::abs) - 1.0).abs() < 0.02);
    assert!((mean(&|z| z * z) - 2.0).abs() < 0.05);
    assert!((mean(&|z| z.powi(4)) - 24.0).abs() < 2.0);
}

#[test]
fn what_does_not_go_with_levels_names_both_keys() {
    for (toml, parts) in [
        (format!("free_bits = 0.1\n{LEVEL}"), ["free_bits", "levels"]),
        ("free_bits = 0.1\nprior = 'laplace'".into(), ["free_bits", "prior"]),
        (
            format!("kl_schedule = {{ capacity = {{ nats = 5, epochs = 2 }} }}\n{LEVEL}"),
            ["kl_schedule", "levels"],
        ),
        (format!("variational = false\n{LEVEL}"), ["variational", "levels"]),
        (
            format!("samples = 2\nbound = 'iwae'\ngradient = 'dreg'\n{LEVEL}"),
            ["gradient", "levels"],
        ),
        (format!("bound = 'iwae'\n{LEVEL}kl_weight = 0.5"), ["levels.kl_weight", "bound"]),
        (LEVEL.replace("latent = 2", "latent = 0"), ["levels.0.latent", "1 to 65535"]),
        (LEVEL.replace("{ linear = 9 }", "{ linaer = 9 }"), ["levels.0.encoder.0", "linear"]),
    ] {
        let error = with(&toml, 1).check().unwrap_err();
        let message = error.to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{toml}: {message}");
        assert!(matches!(error, Error::Config { .. } | Error::Layer { .. }), "{toml}: {error:?}");
    }
    let config = with(&format!("prior = 'laplace'\n{LEVEL}"), 1);
    assert_eq!(config.model.prior, Prior::Laplace);
    assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
}
