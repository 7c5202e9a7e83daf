//! A model of one's own: an adversarial autoencoder (Makhzani et al. 2015). A critic learns to tell codes
//! of images from draws from the standard normal, and the encoder learns to give it no chance, so that in
//! the end the decoder makes images of draws, too.
//!
//! `cargo run --release --example custom` leaves `made.png` in this folder.

use std::path::Path;

use vae_gpu::config::TrainConfig;
use vae_gpu::model::{Distribution, Model, Phase, Step, Term};
use vae_gpu::nn::{Chain, Graph, Modules, Shape, ValueId, Weights};
use vae_gpu::ops::density::BINARY_CROSS_ENTROPY;
use vae_gpu::ops::likelihood::Likelihood;
use vae_gpu::ops::matmul::Problem;
use vae_gpu::ops::noise::standard_normals;
use vae_gpu::ops::optimizer::Optimizer;
use vae_gpu::{Dataset, Gpu, Images, Result, TrainOptions, Trainer};

/// Numbers in a code.
const CODE: usize = 8;

struct Adversarial {
    encoder: Chain,
    decoder: Chain,
    critic: Chain,
    weights: Weights,
}

impl Adversarial {
    fn new(gpu: &Gpu, image: Shape) -> Result<Self> {
        let mut modules = Modules::new(image);
        let layers = r#"[{ linear = 256 }, "relu", { linear = 8 }]"#;
        let encoder = modules.chain("encoder", layers, image.flat())?;
        let layers = r#"[{ linear = 256 }, "relu", { linear = "image" }]"#;
        let decoder = modules.chain("decoder", layers, Shape::Features(CODE))?;
        let layers = r#"[{ linear = 128 }, "leaky_relu", { linear = 1 }]"#;
        let critic = modules.chain("critic", layers, Shape::Features(CODE))?;
        Ok(Self { encoder, decoder, critic, weights: modules.weights(gpu, 1) })
    }

    /// The critic's cross-entropy on each code, where it should say real (label 1) or made (label 0).
    fn judged(&self, graph: &mut Graph, code: ValueId, label: f64) -> ValueId {
        let logit = self.critic.apply(graph, code);
        graph.row_sums("critic", &BINARY_CROSS_ENTROPY, &[label], &[logit.into()])
    }
}

impl Model for Adversarial {
    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn problems(&self) -> Vec<Problem> {
        [&self.encoder, &self.decoder, &self.critic].iter().flat_map(|c| c.problems()).collect()
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        // The code goes two ways: to the decoder, and to the critic.
        let x = step.column("image")?;
        let code = self.encoder.apply(&mut step.graph, x);
        let output = self.decoder.apply(&mut step.graph, code);
        let likelihood = Likelihood::Bernoulli;
        let pixels = Distribution::Given { likelihood, output, log_scale: None };
        let recon = pixels.neg_log_prob(&mut step.graph, "decoder", x);

        // First the critic is trained, on draws and on codes, through which it trains nobody else.
        let draws = step.normal(step.rows(), CODE);
        let real = self.judged(&mut step.graph, draws, 1.0);
        let made = step.graph.detach(code);
        let made = self.judged(&mut step.graph, made, 0.0);
        let critic = Phase::new("critic", [Term::new("real", real), Term::new("made", made)]);
        step.update(critic.train(&["critic"]).optimizer(Optimizer::adam(5e-4)))?;

        // Then the others, against the critic as it has become.
        let fooled = self.judged(&mut step.graph, code, 1.0);
        let terms = [Term::new("recon", recon), Term::new("fooled", fooled).weighted(10.0)];
        Ok(Phase::new("autoencoder", terms).train(&["encoder", "decoder"]))
    }
}

fn main() -> Result<()> {
    run(Path::new("."))
}

pub fn run(folder: &Path) -> Result<()> {
    let (gpu, data) = (Gpu::new()?, Dataset::digits());
    let shape = data.shape()?;
    let model = Adversarial::new(&gpu, shape.into())?;
    let config = TrainConfig { epochs: 2, ..TrainConfig::default() };
    let trainer = Trainer::with_model(&gpu, model, &config, &data, TrainOptions::default())?;
    for report in trainer.epochs() {
        println!("{:.2?}", report?.train.terms);
    }
    let (model, draws) = (trainer.into_model(), standard_normals(&gpu, [64, CODE], 7)?);
    model.weights.save(&gpu, folder.join("adversarial.safetensors"))?;
    let logits = model.decoder.run(&gpu, &model.weights, &draws)?;
    let means: Vec<f32> = logits.into_iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    Images::from_values(shape, &means)?.save_grid(folder.join("made.png"), 8)
}
