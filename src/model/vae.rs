//! The variational autoencoder (Kingma and Welling 2013) as chains of layers and an objective.

use std::sync::Arc;

use super::ModelConfig;
use crate::data::ImageShape;
use crate::error::Result;
use crate::gpu::{Choices, Gpu, Plan, Tensor, padded};
use crate::nn::{Backward, Chain, Layer, Layout, Linear, Origin, ParameterSpec, Parameters, Value};
use crate::ops::activation;
use crate::ops::matmul::{self, Product, Tune, Tuned, WeightGradient};

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
    head: Linear,
    decoder: Chain,
    /// The decoder's last layer, and its name.
    output: (String, Linear),
    parameters: Parameters,
    choices: Arc<Choices>,
}

const HEAD: &str = "latent";

/// The tensors of a recorded forward pass over a batch.
pub struct Forward {
    /// Encoder: x (batch, pixels), then each layer's output.
    encoder: Vec<Value>,
    /// Decoder: z (batch, latent), then each hidden layer's output.
    decoder: Vec<Value>,
    /// Gradient of the batch's mean reconstruction loss by the decoder's last product.
    doutput: Tensor,
    /// Reconstruction loss in nats, in parts that add up to the batch's sum.
    pub recon: Tensor,
    /// KL divergence in nats, likewise, unweighted.
    pub kl: Tensor,
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
        let (encoder, features) = hidden("encoder", &config.encoder, shape.pixels(), config);
        let (decoder, last) = hidden("decoder", &config.decoder, config.latent, config);
        let head = Linear { inputs: features, outputs: 2 * config.latent, activation: None };
        let output = Linear {
            inputs: last,
            outputs: shape.pixels(),
            activation: activation::named(&config.output_activation),
        };
        let output = (name("decoder", config.decoder.len()), output);
        let specs = encoder.parameters().chain(ParameterSpec::all(HEAD, &head));
        let specs = specs.chain(decoder.parameters());
        let specs = specs.chain(ParameterSpec::all(&output.0, &output.1));
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
            output,
            parameters,
            choices: Arc::new(Choices::new(gpu.report())),
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

    /// Bytes that a training step computes for an image: what goes into and comes out of each layer,
    /// and its gradient.
    pub(super) fn row_bytes(&self) -> u64 {
        let ModelConfig { encoder, decoder, latent, .. } = &self.config;
        let widths =
            encoder.iter().chain(decoder).copied().chain([self.shape.pixels(), 2 * latent]);
        widths.map(|width| 3 * 4 * padded(width) as u64).sum()
    }

    /// Inputs and outputs of its layers.
    pub fn layers(&self) -> Vec<[usize; 2]> {
        let specs = self.parameters.layout().specs();
        specs.filter(|s| s.shape.len() == 2).map(|s| [s.shape[1], s.shape[0]]).collect()
    }

    /// Finds the fastest variants of its kernels for batches of `batch`, and takes them: see
    /// [`matmul::tune`].
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter fails.
    pub fn tune(
        &mut self,
        level: Tune,
        batch: usize,
        found: impl FnMut(Product, [usize; 3], &Tuned),
    ) -> Result<()> {
        let activation = activation::named(&self.config.activation);
        let layers = self.layers();
        let choices = matmul::tune(&self.gpu, level, batch, &layers, activation, found)?;
        self.set_choices(choices);
        Ok(())
    }

    /// Takes `choices` for the kernels of the plans made from now on.
    pub fn set_choices(&mut self, choices: Choices) {
        self.choices = Arc::new(choices);
    }

    /// The variants of its kernels.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// An empty plan for its kernels.
    pub fn plan(&self) -> Plan {
        Plan::with_choices(&self.gpu, &self.choices)
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

    /// Records the forward pass and the losses of x (batch, pixels), with epsilon (batch · latent)
    /// as the noise: z = mean + exp(logvar / 2) · epsilon. Both are the plan's own.
    pub fn forward(&self, plan: &mut Plan, x: &Tensor, epsilon: &Tensor) -> Forward {
        let (encoder, z, kl) = self.encode(plan, x, epsilon);
        let decoder = self.decoder.forward(plan, &self.parameters, z);
        let (label, output) = &self.output;
        let (own, below) = (self.parameters.of(label), &decoder[decoder.len() - 1]);
        let likelihood = &self.config.likelihood;
        let (doutput, recon) = output.forward_loss(plan, label, &own, below, likelihood, x);
        Forward { encoder, decoder, doutput, recon, kl }
    }

    /// Records the encoder: x and each layer's output, z, and the KL divergence.
    fn encode(&self, plan: &mut Plan, x: &Tensor, epsilon: &Tensor) -> (Vec<Value>, Value, Tensor) {
        let x = Value { tensor: x.clone(), origin: Origin::Input };
        let encoder = self.encoder.forward(plan, &self.parameters, x);
        let (own, below) = (self.parameters.of(HEAD), &encoder[encoder.len() - 1]);
        let (z, kl) = self.head.forward_latent(plan, HEAD, &own, below, epsilon);
        (encoder, z, kl)
    }

    /// Records the backward pass of the batch mean of recon + β · KL, with β from `state` (see
    /// [`crate::ops::State`]), as far as the products that give the parameters' gradients, which it
    /// returns.
    pub fn backward(
        &self,
        plan: &mut Plan,
        state: &Tensor,
        forward: &Forward,
    ) -> Vec<WeightGradient> {
        let Forward { encoder, decoder, doutput, .. } = forward;
        let mut pass = Backward { plan, parameters: &self.parameters, state, weights: Vec::new() };
        let (label, output) = &self.output;
        let dy = output.backward(&mut pass, label, &decoder[decoder.len() - 1], doutput);
        let dhead = dy.and_then(|dy| self.decoder.backward(&mut pass, decoder, &dy));
        let dhead = dhead.expect("z comes from the head");
        let dy = self.head.backward(&mut pass, HEAD, &encoder[encoder.len() - 1], &dhead);
        if let Some(dy) = dy {
            self.encoder.backward(&mut pass, encoder, &dy);
        }
        pass.weights
    }

    /// Records the mean of the likelihood (batch, pixels), values in [0, 1] as far as the model
    /// keeps to them, for z (batch, latent), padded.
    pub(super) fn decode(&self, plan: &mut Plan, z: &Tensor) -> Tensor {
        let z = Value { tensor: z.clone(), origin: Origin::Input };
        let decoder = self.decoder.forward(plan, &self.parameters, z);
        let (label, output) = &self.output;
        // The Bernoulli likelihood has its mean's logits there.
        let bernoulli = self.config.likelihood == "bernoulli";
        let activation = if bernoulli { Some("sigmoid") } else { output.activation };
        let mean = Linear { activation, ..*output };
        let below = &decoder[decoder.len() - 1];
        mean.forward(plan, label, &self.parameters.of(label), below).tensor
    }

    /// Records the mean of the posterior (batch, latent) of x (batch, pixels), padded.
    pub(super) fn posterior_mean(&self, plan: &mut Plan, x: &Tensor) -> Tensor {
        let epsilon = plan.vector(x.rows() * self.config.latent); // zero
        self.encode(plan, x, &epsilon).1.tensor
    }
}

/// Linear layers of `widths`, each with the activation that the configuration names; and the last
/// one's width.
fn hidden(chain: &str, widths: &[usize], inputs: usize, config: &ModelConfig) -> (Chain, usize) {
    let mut layers: Vec<(String, Box<dyn Layer>)> = Vec::new();
    let mut inputs = inputs;
    for (i, &outputs) in widths.iter().enumerate() {
        let activation = activation::named(&config.activation);
        layers.push((name(chain, i), Box::new(Linear { inputs, outputs, activation })));
        inputs = outputs;
    }
    (Chain(layers), inputs)
}

/// The name of a chain's linear layer number `i`, as PyTorch's `Sequential` has it, where
/// activations are layers too.
fn name(chain: &str, i: usize) -> String {
    format!("{chain}.{}", 2 * i)
}
