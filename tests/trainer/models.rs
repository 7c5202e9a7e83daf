//! A VAE as a model among others, and decoders that few would think of.

use vae_gpu::config::{ModelConfig, TrainConfig};
use vae_gpu::train::RunFolder;
use vae_gpu::{Column, Error, Model, Phase, Step, Term};

use super::*;

#[test]
fn decoders_of_any_end_train() {
    let Some(gpu) = common::gpu() else { return };
    for (likelihood, decoder) in [
        ("{ gaussian = 1.0 }", "[{ linear = 'image' }, 'relu']"),
        ("'gaussian'", "[{ linear = 'image' }, 'tanh']"),
        ("'bernoulli'", "[]"),
        ("'bernoulli'", "[{ dropout = 0.1 }]"),
        ("'bernoulli'", "[{ reshape = [1, 8, 8] }]"),
    ] {
        for variational in [true, false] {
            let text = format!(
                "[model]\nlatent = 64\nvariational = {variational}\nlikelihood = {likelihood}\n\
                 encoder = []\ndecoder = {decoder}\n[train]\nbatch_size = 50\nepochs = 2"
            );
            let config = Config::parse(&text, "text").unwrap();
            let trainer = trainer(&gpu, &config, TrainOptions::default());
            let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
            assert!(reports[1].train.loss < reports[0].train.loss, "{text}: {reports:?}");
            assert!(reports[1].test.as_ref().unwrap().loss.is_finite(), "{text}");
            assert_eq!(trainer.model().reconstruct(&images(3)).unwrap().len(), 3, "{text}");
        }
    }
}

#[test]
fn a_vae_is_trained_as_any_model() {
    let Some(gpu) = common::gpu() else { return };
    let model = ModelConfig { latent: 3, ..ModelConfig::default() };
    let vae = || Vae::new(&gpu, &model, images(1).shape, 1).unwrap();
    let config = TrainConfig { epochs: 1, batch_size: 20, ..TrainConfig::default() };
    let with =
        |data: &Dataset| Trainer::with_model(&gpu, vae(), &config, data, TrainOptions::default());
    let trainer = with(&data()).unwrap();
    trainer.epochs().for_each(|report| drop(report.unwrap()));

    // The run's folder names this model, and not the default.
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    RunFolder::create(&run, &trainer, &data(), false).unwrap();
    assert_eq!(RunFolder::config(&run).unwrap().model, model);

    let evaluator = trainer.evaluator(&table(images(37)), Noise::Seeded(1)).unwrap();
    let losses = evaluator.run().unwrap();
    assert_eq!(
        trainer.evaluator(&table(images(37)), Noise::Seeded(1)).unwrap().run().unwrap(),
        losses
    );
    assert_eq!(trainer.into_model().encode(&images(5)).unwrap().len(), 5);

    // Shaders would read past the images' end.
    let small = Images::new([1, 4, 4], vec![0; 50 * 16]).unwrap();
    let refused = with(&Dataset::new("small", table(small), None).unwrap());
    assert!(matches!(refused.err(), Some(Error::Shape { .. })));
    let numbers = Table::new().with("x", Column::floats(&[], vec![0.0; 50])).unwrap();
    let refused = with(&Dataset::new("numbers", numbers.clone(), None).unwrap());
    assert!(refused.err().unwrap().to_string().contains("no column of images"));
    let untested = Dataset::new("untested", table(images(50)), Some(numbers)).unwrap();
    assert!(with(&untested).err().unwrap().to_string().contains("no column of images"));
}

/// A model that tells more in training than in evaluation.
struct Talkative(Vae);

impl Model for Talkative {
    fn weights(&self) -> &vae_gpu::nn::Weights {
        self.0.network().weights()
    }

    fn units(&self) -> usize {
        self.0.units()
    }

    fn record(&self, step: &mut Step) -> vae_gpu::Result<Phase> {
        let mut phase = self.0.record(step)?;
        if step.is_training() {
            let x = step.column("image")?;
            let brightness =
                step.graph.row_sums("x", &vae_gpu::ops::expression::IDENTITY, &[], &[x.into()]);
            phase.terms.insert(0, Term::new("brightness", brightness).weighted(0.0));
        }
        Ok(phase)
    }
}

#[test]
fn terms_go_by_their_names() {
    let Some(gpu) = common::gpu() else { return };
    let vae = Vae::new(&gpu, &ModelConfig::default(), images(1).shape, 1).unwrap();
    let config = TrainConfig { epochs: 1, batch_size: 20, ..TrainConfig::default() };
    let options = TrainOptions::default();
    let trainer = Trainer::with_model(&gpu, Talkative(vae), &config, &data(), options).unwrap();
    let report = trainer.epochs().next().unwrap().unwrap();
    let line = serde_json::to_value(&report).unwrap();
    let pixels = images(203).pixels;
    let bright = pixels.iter().map(|p| f64::from(*p) / 255.0).sum::<f64>() / 203.0;
    assert!((line["train_brightness"].as_f64().unwrap() / bright - 1.0).abs() < 1e-4, "{line}");
    assert!(line["test_brightness"].is_null(), "{line}");
    let recon = report.test.unwrap().term("recon").unwrap();
    assert_eq!(line["test_recon"].as_f64().unwrap(), recon);
}
