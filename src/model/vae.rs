//! The variational autoencoder (Kingma and Welling 2013) as chains of layers and an objective.

use std::sync::Arc;

use super::ModelConfig;
use crate::data::ImageShape;
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::nn::{Activation, Chain, Layer, Layout, Linear, Parameters};
use crate::ops::{activation, latent, likelihood};

/// A variational autoencoder with its parameters on the adapter.
///
/// Parameters bear the names of PyTorch's `Sequential`: `encoder.0.weight` (outputs, inputs), …,
/// `latent.weight` (2 · latent, inputs; first the mean's rows, then the log-variance's),
/// `decoder.0.weight`, …; activations count as layers.
pub struct Vae {
    gpu: Gpu,
    config: ModelConfig,
    shape: ImageShape,
    encoder: Chain,
    head: Chain,
    decoder: Chain,
    parameters: Parameters,
}

/// The tensors of a recorded forward pass over a batch.
pub struct Forward {
    /// Input images (batch, pixels).
    pub x: Tensor,
    /// Standard normal noise (batch, latent).
    pub epsilon: Tensor,
    /// Encoder: x, then each layer's output.
    encoder: Vec<Tensor>,
    /// Latent layer: its input, then mean and log-variance (batch, 2 · latent).
    head: Vec<Tensor>,
    /// Decoder: z (batch, latent), then each layer's output, the last (batch, pixels).
    decoder: Vec<Tensor>,
    /// Reconstruction loss of each image (batch), in nats.
    pub recon: Tensor,
    /// KL divergence of each image (batch), in nats, unweighted.
    pub kl: Tensor,
    /// Gradient of the batch's mean reconstruction loss by the decoder's output (batch, pixels).
    doutput: Tensor,
}

impl Vae {
    /// A model for images of `shape`, initialised as PyTorch does from `seed`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Usage`] when the configuration cannot be, [`crate::Error::Gpu`] when the
    /// parameters do not fit the adapter.
    pub fn new(gpu: &Gpu, config: &ModelConfig, shape: ImageShape, seed: u64) -> Result<Self> {
        let vae = Self::uninitialised(gpu, config, shape)?;
        vae.parameters.write(gpu, &vae.parameters.layout().initial(seed));
        Ok(vae)
    }

    pub(super) fn uninitialised(
        gpu: &Gpu,
        config: &ModelConfig,
        shape: ImageShape,
    ) -> Result<Self> {
        config.check()?;
        let (encoder, features) = hidden(&config.encoder, shape.pixels(), &config.activation);
        let (mut decoder, last) = hidden(&config.decoder, config.latent, &config.activation);
        decoder.push(Box::new(Linear { inputs: last, outputs: shape.pixels() }));
        decoder.extend(activation_layer(&config.output_activation));
        let head = Linear { inputs: features, outputs: 2 * config.latent };

        let encoder = Chain::new("encoder", encoder);
        let head = Chain::single("latent", head);
        let decoder = Chain::new("decoder", decoder);
        let specs = encoder.parameters().chain(head.parameters()).chain(decoder.parameters());
        let layout = Arc::new(Layout::new(specs));
        gpu.check_fits("the model", layout.bytes(), "use smaller layers")?;
        let parameters = Parameters::zeros(gpu, "parameters", &layout);
        Ok(Self {
            gpu: gpu.clone(),
            config: config.clone(),
            shape,
            encoder,
            head,
            decoder,
            parameters,
        })
    }

    /// The adapter it is on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Fails unless a batch of `rows` images fits the adapter.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] naming the limit.
    pub fn check_batch(&self, rows: usize) -> Result<()> {
        let bytes = self.row_bytes().saturating_mul(rows as u64);
        self.gpu.check_fits("a batch", bytes, "use a smaller --batch-size")
    }

    /// Bytes of an image in the widest layer.
    pub(super) fn row_bytes(&self) -> u64 {
        let ModelConfig { encoder, decoder, latent, .. } = &self.config;
        let hidden = encoder.iter().chain(decoder).copied();
        let widest = hidden.chain([self.shape.pixels(), 2 * latent]).max();
        4 * widest.unwrap_or(1) as u64
    }

    /// What it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Shape of the images it takes and makes.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Records the forward pass and the losses of x (batch, pixels), with epsilon (batch, latent)
    /// as the noise: z = mean + exp(logvar / 2) · epsilon.
    pub fn forward(&self, plan: &mut Plan, x: &Tensor, epsilon: &Tensor) -> Forward {
        let gpu = &self.gpu;
        let batch = x.rows();
        let encoder = self.encoder.forward(plan, &self.parameters, x);
        let head = self.head.forward(plan, &self.parameters, &encoder[encoder.len() - 1]);

        let z = Tensor::zeros(gpu, "latent", epsilon.shape());
        let kl = Tensor::zeros(gpu, "kl", &[batch]);
        latent::forward(plan, "latent", &head[1], epsilon, &z, &kl);

        let decoder = self.decoder.forward(plan, &self.parameters, &z);
        let output = &decoder[decoder.len() - 1];
        let recon = Tensor::zeros(gpu, "recon", &[batch]);
        let doutput = Tensor::zeros(gpu, "doutput", output.shape());
        let name = &self.config.likelihood;
        likelihood::loss(plan, "likelihood", name, x, output, &recon, &doutput);
        Forward {
            x: x.clone(),
            epsilon: epsilon.clone(),
            encoder,
            head,
            decoder,
            recon,
            kl,
            doutput,
        }
    }

    /// Records the gradients of the batch mean of recon + β · kl by every parameter into
    /// `gradients`, with β from `state` (see [`crate::ops::State`]).
    pub fn backward(
        &self,
        plan: &mut Plan,
        state: &Tensor,
        forward: &Forward,
        gradients: &Parameters,
    ) {
        let Forward { epsilon, encoder, head, decoder, doutput, .. } = forward;
        let own = &self.parameters;
        let dz = self.decoder.backward(plan, own, gradients, decoder, doutput, true);
        let dhead = Tensor::zeros(&self.gpu, "dhead", head[1].shape());
        let dz = dz.expect("the decoder was asked for dz");
        latent::backward(plan, "latent", state, &head[1], epsilon, &dz, &dhead);

        // Without hidden layers the encoder is empty, and nothing below the head is trained.
        let needs_dx = encoder.len() > 1;
        let dfeatures = self.head.backward(plan, own, gradients, head, &dhead, needs_dx);
        if let Some(dfeatures) = dfeatures {
            self.encoder.backward(plan, own, gradients, encoder, &dfeatures, false);
        }
    }

    /// Records the mean of the likelihood (batch, pixels), values in [0, 1] as far as the model
    /// keeps to them, for z (batch, latent).
    pub(super) fn decode(&self, plan: &mut Plan, z: &Tensor) -> Tensor {
        let outputs = self.decoder.forward(plan, &self.parameters, z);
        self.likelihood_mean(plan, &outputs[outputs.len() - 1])
    }

    /// Records the mean of the likelihood (batch, pixels) for what `forward` decoded.
    pub(super) fn likelihood_mean(&self, plan: &mut Plan, output: &Tensor) -> Tensor {
        if self.config.likelihood == "gaussian" {
            return output.clone();
        }
        let mean = Tensor::zeros(&self.gpu, "mean", output.shape());
        activation::forward(plan, "mean", "sigmoid", output, &mean);
        mean
    }
}

impl Forward {
    /// The decoder's output (batch, pixels): logits for Bernoulli, means for Gaussian.
    pub fn output(&self) -> &Tensor {
        &self.decoder[self.decoder.len() - 1]
    }
}

/// Linear layers of `widths`, each with its activation behind it; and the last one's width.
fn hidden(widths: &[usize], inputs: usize, activation: &str) -> (Vec<Box<dyn Layer>>, usize) {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    let mut inputs = inputs;
    for &outputs in widths {
        layers.push(Box::new(Linear { inputs, outputs }));
        layers.extend(activation_layer(activation));
        inputs = outputs;
    }
    (layers, inputs)
}

/// The activation called `name`; nothing for `none`.
fn activation_layer(name: &str) -> Option<Box<dyn Layer>> {
    let name = activation::NAMES.into_iter().find(|n| *n == name)?;
    Some(Box::new(Activation { name }))
}
