//! Ten steps of training against PyTorch's, tensor by tensor: see README.md beside this file.

#[path = "../common/mod.rs"]
mod common;
mod initial;
mod norms;
mod objectives;
mod optimizers;

use std::sync::Arc;

use serde::Deserialize;
use vae_gpu::config::{ModelConfig, TrainConfig};
use vae_gpu::gpu::{Choices, Recording};
use vae_gpu::model::{
    self, Batch, Columns, Phase, Purpose, RECON, Running, Step, TermSpec, Totals, Training,
};
use vae_gpu::nn::{Parameters, Shape, Weights};
use vae_gpu::ops::State;
use vae_gpu::ops::likelihood::Likelihood;
use vae_gpu::ops::matmul::{PRODUCTS, Variant};
use vae_gpu::train::Losses;
use vae_gpu::{Gpu, ImageShape, Model, Noise, Result, Vae};

use common::golden::File;

#[derive(Deserialize)]
struct TraceConfig {
    /// Channels, height and width.
    image: [usize; 3],
    /// Encoder and decoder as TOML.
    layers: String,
    latent: usize,
    likelihood: Likelihood,
    kl_weight: f64,
    learning_rate: f64,
    batch: usize,
    steps: usize,
}

/// A file of ten steps.
struct Trace {
    file: File,
    config: TraceConfig,
}

impl Trace {
    fn read(name: &str) -> Self {
        let file = File::read(name);
        Self { config: file.config(), file }
    }

    /// The tensors called `prefix` and a parameter's name, in the layout's order.
    fn parameters(&self, prefix: &str, like: &Parameters) -> Vec<Vec<f32>> {
        let values = |name: &str| self.file.singles(&format!("{prefix}.{name}"));
        like.layout().specs().map(|spec| values(&spec.name)).collect()
    }

    fn model(&self, gpu: &Gpu) -> Vae {
        let config = &self.config;
        let model = ModelConfig {
            latent: config.latent,
            likelihood: config.likelihood,
            kl_weight: config.kl_weight,
            ..toml::from_str(&config.layers).unwrap()
        };
        let [channels, height, width] = config.image;
        let shape = ImageShape { width, height, channels };
        Vae::new(gpu, &model, shape, 0).unwrap()
    }
}

/// ‖a − b‖ / ‖b‖; ‖a‖ where b is zero, as gradients are while a weight rises from 0.
fn relative_norm(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(f64::from(a - b))).sum();
    let norm: f64 = b.iter().map(|b| square(f64::from(*b))).sum();
    if norm == 0.0 { difference.sqrt() } else { (difference / norm).sqrt() }
}

/// How a trace is followed.
struct Way {
    /// For every product; the adapter's own without one.
    variant: Option<&'static str>,
    /// Whether gradients are stored before the update.
    gradients: bool,
}

/// Those that the adapter can run.
fn ways(gpu: &Gpu) -> impl Iterator<Item = Way> {
    let variants = [
        "lanes 4 1",
        "lanes 8 1",
        "lanes 8 2",
        "registers 8 1x1",
        "tiled 8x8 1x1 16 1",
        "tiled 8x8 1x1 16 4",
    ];
    let fits = |words: &&str| words.parse::<Variant>().unwrap().fits(gpu.report());
    let variants: Vec<_> = variants.into_iter().filter(fits).map(Some).collect();
    let both = |variant| [true, false].map(|gradients| Way { variant, gradients });
    [None].into_iter().chain(variants).flat_map(both)
}

/// Every product of every layer in the variant of `words`.
fn all(vae: &Vae, words: &str) -> Choices {
    let mut choices = Choices::new(vae.gpu().report());
    for (product, problem) in PRODUCTS
        .iter()
        .flat_map(|product| vae.network().problems().into_iter().map(move |l| (product, l)))
    {
        choices.set(problem.key(*product), words.into());
    }
    choices
}

fn check(name: &str) {
    let Some(gpu) = common::gpu() else { return };
    for way in ways(&gpu) {
        follow(&gpu, name, &way);
    }
}

fn follow(gpu: &Gpu, file: &str, way: &Way) {
    let name = format!("{file}, {:?}, gradients stored: {}", way.variant, way.gradients);
    let trace = Trace::read(file);
    let TraceConfig { batch, steps, .. } = trace.config;
    let pixels = trace.config.image.into_iter().product::<usize>();
    let mut vae = trace.model(gpu);
    if let Some(words) = way.variant {
        vae.set_choices(&Arc::new(all(&vae, words)));
    }
    for values in [vae.parameters(), vae.statistics()] {
        values.write(gpu, &trace.parameters("initial", values));
    }

    let learning_rate = trace.config.learning_rate;
    let config = TrainConfig { learning_rate, ..TrainConfig::default() };
    let mut training = Training::new(&vae, &config, 1);
    if way.gradients {
        training = training.with_gradients();
    }
    let mut recording = vae.recording();
    let given = vae.network().batch(&recording, batch);
    let terms = record(&vae, &mut recording, &given, Purpose::Training(&training));
    let mut plan = recording.compile(gpu);
    // Memory that is given out again must not be read: NaN would be seen in the losses.
    let written: Vec<_> = given.tensors().collect();
    plan.poison(&recording, &written);

    let (batches, noise) = (trace.file.raw("batches"), trace.file.singles("noise"));
    let expected = ["loss", "recon", "kl"].map(|name| trace.file.floats(name));
    let mut state = State { images: batch as u32, ..State::default() };
    for i in 0..steps {
        let bytes = &batches[i * batch * pixels..][..batch * pixels];
        let floats: Vec<f32> = bytes.iter().map(|b| f32::from(*b) / 255.0).collect();
        let network = vae.network();
        for (tensor, shape) in
            [(&given.x, network.input), (&given.target, network.decoder.output())]
        {
            tensor.write(gpu, &laid_out(&floats, shape));
        }
        let above = (1..given.noise.len()).map(|i| trace.file.singles(&format!("above.{}", i - 1)));
        // The levels of a model of several have their own.
        let tensors = [&given.epsilon].into_iter().filter(|_| given.noise.is_empty());
        let noises = [noise.clone()].into_iter().chain(above);
        for (tensor, noise) in tensors.chain(&given.noise).zip(noises) {
            tensor.write(gpu, &noise[i * tensor.len()..][..tensor.len()]);
        }
        if let Some(tensor) = &given.classes {
            let classes = &trace.file.raw("classes")[i * batch..][..batch];
            let count = tensor.columns();
            let one = |class: &u8| {
                let mut row = vec![0.0f32; count];
                row[usize::from(*class)] = 1.0;
                row
            };
            tensor.write(gpu, &classes.iter().flat_map(one).collect::<Vec<_>>());
        }
        training.running.write(gpu, &Totals { state, ..Totals::default() });
        plan.run();
        let losses;
        (state, losses) = read(gpu, &terms, &training.running);
        for (what, (loss, expected)) in
            ["loss", "recon", "kl"].iter().zip(losses.iter().zip(&expected))
        {
            let error = (loss / expected[i] - 1.0).abs();
            assert!(error < 1e-5, "{name}: {what} of step {i}: {loss}, not {}", expected[i]);
        }
        if let (0, Some(stored)) = (i, training.gradients()) {
            let gradients = stored.read(gpu).unwrap();
            let expected = trace.parameters("gradient", &stored);
            let specs = stored.layout().specs();
            for ((spec, gradient), expected) in specs.zip(&gradients).zip(&expected) {
                let error = relative_norm(gradient, expected);
                assert!(error < 1e-4, "{name}: gradient of {}: off by {error:e}", spec.name);
            }
        }
    }
    assert_eq!(state.step, steps as u32);
    for kept in [vae.parameters(), vae.statistics()] {
        let (values, expected) = (kept.read(gpu).unwrap(), trace.parameters("final", kept));
        for ((spec, values), expected) in kept.layout().specs().zip(&values).zip(&expected) {
            let error = values.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-4, "{name}: {} after {steps} steps: off by {error:e}", spec.name);
            let error = relative_norm(values, expected);
            assert!(error < 1e-4, "{name}: {} after {steps} steps: off by {error:e}", spec.name);
        }
    }
    evaluate(gpu, &name, &trace, &vae, &given);
}

/// The state, and the loss, recon and kl that add up beside it.
fn read(gpu: &Gpu, terms: &[TermSpec], running: &Running) -> (State, [f64; 3]) {
    let totals = running.read(gpu).unwrap();
    let [unit_kl, variances] = totals.latent();
    let losses = Losses::new(terms, &totals.terms(), &unit_kl, &variances);
    (totals.state, [losses.loss, losses.term(RECON).unwrap(), losses.kl().unwrap()])
}

/// A model whose batches are given.
struct Given<'a> {
    vae: &'a Vae,
    batch: &'a Batch,
}

impl Model for Given<'_> {
    fn weights(&self) -> &Weights {
        self.vae.network().weights()
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        Ok(self.vae.network().phase(step, self.batch.clone()))
    }
}

/// Records a step of `vae` on `batch`.
fn record(vae: &Vae, recording: &mut Recording, batch: &Batch, purpose: Purpose) -> Vec<TermSpec> {
    let columns = Columns::of_images(batch.rows, vae.shape());
    let model = Given { vae, batch };
    model::record(&model, recording, &columns, purpose, batch.rows).unwrap()
}

/// The last batch once more, by the running statistics.
fn evaluate(gpu: &Gpu, name: &str, trace: &Trace, vae: &Vae, last: &Batch) {
    let mut recording = vae.recording();
    let network = vae.network();
    let batch = network.batch(&recording, last.rows);
    let running = Running::new(network.units());
    let purpose = Purpose::Evaluation(Noise::Mean(0), &running);
    let terms = record(vae, &mut recording, &batch, purpose);
    let plan = recording.compile(gpu);
    for (to, from) in batch.tensors().zip(last.tensors()) {
        to.write(gpu, &from.read::<f32>(gpu).unwrap());
    }
    let state = State { images: batch.rows as u32, ..State::default() };
    running.write(gpu, &Totals { state, ..Totals::default() });
    plan.run();
    let (_, losses) = read(gpu, &terms, &running);
    for (loss, expected) in losses.iter().zip(trace.file.floats("evaluation")) {
        assert!((loss / expected - 1.0).abs() < 1e-4, "{name}: evaluated {loss}, not {expected}");
    }
}

/// Pixels (image, channel, row, column) as a model takes them.
fn laid_out(pixels: &[f32], shape: Shape) -> Vec<f32> {
    let Shape::Map { channels, extent } = shape else { return pixels.to_vec() };
    let places = extent.height * extent.width;
    let image = |image: &[f32]| -> Vec<f32> {
        let at = |i: usize| image[i % channels * places + i / channels];
        (0..channels * places).map(at).collect()
    };
    pixels.chunks(channels * places).flat_map(image).collect()
}

#[test]
fn bernoulli_relu_trace_is_pytorchs() {
    check("mlp.safetensors");
}

#[test]
fn convolutional_trace_is_pytorchs() {
    check("conv.safetensors");
}

#[test]
fn residual_trace_with_normalizations_is_pytorchs() {
    check("residual.safetensors");
}

#[test]
fn gaussian_tanh_deep_trace_is_pytorchs() {
    check("gaussian.safetensors");
}

#[test]
fn conditional_traces_are_pytorchs() {
    check("conditional.safetensors");
    check("conditional_iwae.safetensors");
}

#[test]
fn traces_of_several_levels_and_other_priors_are_pytorchs() {
    check("levels.safetensors");
    check("levels_iwae.safetensors");
    check("laplace.safetensors");
}

#[test]
fn traces_of_several_samples_are_pytorchs() {
    check("samples.safetensors");
    check("iwae.safetensors");
    check("dreg.safetensors");
}
