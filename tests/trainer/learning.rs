//! That whatever a configuration can name learns.

use vae_gpu::config::KlSchedule;
use vae_gpu::train::EpochReport;

use super::*;

/// All epochs, after which every parameter must be another, and the model.
fn train(gpu: &Gpu, config: &Config) -> (Vec<EpochReport>, Trainer) {
    let trainer = trainer(gpu, config, TrainOptions::default());
    let before = weights(gpu, &trainer);
    let reports = trainer.epochs().map(Result::unwrap).collect();
    let layout = trainer.model().parameters().layout();
    for ((spec, before), after) in layout.specs().zip(before).zip(weights(gpu, &trainer)) {
        assert_ne!(before, after, "{} has not moved: {:?}", spec.name, config.model);
    }
    (reports, trainer)
}

/// Panics unless the loss falls by a twentieth; those of densities have constants, and may be below
/// zero.
fn assert_learns(what: &str, reports: &[EpochReport]) {
    let losses: Vec<_> = reports.iter().map(|report| report.train.loss).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < first - 0.05 * first.abs(), "{what}: {losses:?}");
}

/// On maps of several channels and of one, before layers of other kinds.
#[test]
fn every_layer_learns() {
    let Some(gpu) = common::gpu() else { return };
    for layers in [
        "{ conv2d = 5, kernel = 3, stride = 2, padding = 1 }, 'relu'",
        "{ conv_transpose2d = 3, kernel = 3, stride = 2, padding = 1, output_padding = 1 }, 'elu'",
        "{ max_pool2d = 2 }, 'leaky_relu'",
        "{ avg_pool2d = 3, stride = 1, padding = 1 }, 'gelu'",
        "{ upsample = 2 }, 'silu'",
        "{ conv2d = 5, kernel = [3, 1], stride = [1, 2], padding = [1, 0] }, 'relu'",
        "{ conv_transpose2d = 3, kernel = [1, 3], stride = [1, 2], output_padding = [0, 1] }, 'elu'",
        "{ max_pool2d = [2, 1] }, { avg_pool2d = [1, 3], stride = 1, padding = [0, 1] }, 'gelu'",
        "{ upsample = [1, 2] }, 'silu'",
        "{ conv2d = 8, kernel = 1 }, 'relu', { pixel_shuffle = 2 }",
        "'batch_norm', 'tanh'",
        "'layer_norm', 'sigmoid'",
        "{ dropout = 0.2 }, 'softplus'",
        "{ residual = [{ conv2d = 5, kernel = 1 }, 'relu', { conv2d = CHANNELS, kernel = 1 }] }",
    ] {
        let [encoder, decoder] = ["1", "4"].map(|channels| layers.replace("CHANNELS", channels));
        let text = format!(
            "[model]\nencoder = [{encoder}, 'flatten', {{ linear = 16 }}, 'relu']\ndecoder = [\
             {{ linear = 64 }}, 'relu', {{ reshape = [4, 4, 4] }}, {decoder}, 'flatten', \
             {{ linear = 'image' }}]"
        );
        let mut config = config(4);
        let model = Config::parse(&text, layers).unwrap().model;
        (config.model.encoder, config.model.decoder) = (model.encoder, model.decoder);
        assert_learns(layers, &train(&gpu, &config).0);
    }
}

#[test]
fn every_likelihood_learns() {
    let Some(gpu) = common::gpu() else { return };
    for likelihood in [
        "'bernoulli'",
        "'continuous_bernoulli'",
        "'gaussian'",
        "{ gaussian = 0.2 }",
        "{ gaussian = 'learnt' }",
        "'laplace'",
        "{ laplace = 0.2 }",
        "{ laplace = 'learnt' }",
    ] {
        let text = format!("[model]\nlikelihood = {likelihood}");
        let mut config = config(5);
        config.model.likelihood = Config::parse(&text, likelihood).unwrap().model.likelihood;
        assert_learns(likelihood, &train(&gpu, &config).0);
    }
}

/// The divergence is drawn to it from above and from below.
#[test]
fn a_capacity_holds_the_divergence() {
    let Some(gpu) = common::gpu() else { return };
    for nats in [1.0, 6.0] {
        let mut config = config(8);
        config.model.kl_weight = 20.0;
        config.model.kl_schedule = Some(KlSchedule::Capacity { nats, epochs: 2.0 });
        let (reports, _) = train(&gpu, &config);
        let kl: Vec<_> = reports.iter().map(|report| report.train.term("kl").unwrap()).collect();
        assert!((kl[7] / nats - 1.0).abs() < 0.2, "{nats} nats: {kl:?}");
        assert_learns(&format!("{nats} nats"), &reports);
    }
}

fn configured(epochs: u32, train: &str) -> Config {
    let mut config = config(epochs);
    let TrainConfig { batch_size, .. } = config.train;
    let parsed = Config::parse(&format!("[train]\n{train}"), train).unwrap().train;
    config.train = TrainConfig { epochs, batch_size, ..parsed };
    config
}

const OPTIMIZERS: [(&str, f64); 5] =
    [("sgd", 3e-2), ("rmsprop", 3e-3), ("adagrad", 3e-2), ("adam", 1e-2), ("adamw", 1e-2)];

#[test]
fn every_optimizer_learns_and_follows_its_schedule() {
    let Some(gpu) = common::gpu() else { return };
    for (name, learning_rate) in OPTIMIZERS {
        let rule = format!("optimizer = {{ name = \"{name}\" }}\nclip_norm = 1e3");
        let rest = "warmup_epochs = 1\nschedule = { name = \"step\", every = 2, factor = 0.5 }";
        let config = configured(6, &format!("learning_rate = {learning_rate}\n{rule}\n{rest}"));
        let trainer = trainer(&gpu, &config, TrainOptions::default());
        let clipped = ["step.clip.squares", "step.clip.factor", "step.optimizer.step"];
        let labels: Vec<_> = trainer.dispatches().collect();
        assert!(labels.windows(3).any(|three| three == clipped), "{labels:?}");

        let mut rates = vec![trainer.learning_rate()];
        let mut losses = Vec::new();
        while let Some(report) = trainer.epoch(|_| ControlFlow::Continue(())).unwrap() {
            rates.push(trainer.learning_rate());
            losses.push(report.train.loss);
        }
        let shares = [0.01, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125];
        for (rate, share) in rates.iter().zip(shares) {
            assert!((rate / learning_rate / share - 1.0).abs() < 1e-12, "{name}: {rates:?}");
        }
        assert!(losses[5] < 0.9 * losses[0], "{name}: {losses:?}");
    }
}

/// Clipping to what no norm reaches changes nothing but where the update is made.
#[test]
fn weights_decay_alike_where_gradients_are_computed_and_where_they_are_stored() {
    let Some(gpu) = common::gpu() else { return };
    for (name, learning_rate) in OPTIMIZERS {
        let run = |decay: f64, more: &str| {
            let text = format!(
                "learning_rate = {learning_rate}\n{more}\n\
                 optimizer = {{ name = \"{name}\", weight_decay = {decay:?} }}\n\
                 schedule = {{ name = \"exponential\", factor = 0.8 }}"
            );
            let (reports, trainer) = train(&gpu, &configured(4, &text));
            let stored = trainer.dispatches().any(|label| label == "step.optimizer.step");
            assert_eq!(stored, !more.is_empty(), "{name}");
            for (report, epoch) in reports.iter().zip(0..) {
                let rate = learning_rate * 0.8f64.powi(epoch);
                assert!((report.learning_rate / rate - 1.0).abs() < 1e-12, "{name}: {reports:?}");
            }
            assert_learns(name, &reports);
            weights(&gpu, &trainer).concat()
        };
        let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
            values.map(|value| f64::from(value).powi(2)).sum()
        };
        let [fused, stored, kept] = [run(0.1, ""), run(0.1, "clip_norm = 1e30"), run(0.0, "")];
        let [of_fused, of_kept] = [&fused, &kept].map(|all| square(&mut all.iter().copied()));
        let apart = square(&mut fused.iter().zip(&stored).map(|(a, b)| a - b));
        assert!(apart < 1e-6 * of_fused, "{name}: {apart:e} of {of_fused}");
        assert!(of_fused < 0.99 * of_kept, "{name}: {of_fused}, and {of_kept} without decay");
    }
}
