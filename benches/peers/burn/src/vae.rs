//! The networks. Burn initialises layers as PyTorch does.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Device, Distribution, Tensor};

const LATENT: usize = 20;

/// What comes before the latent variables, and after them.
#[derive(Module, Debug)]
enum Network {
    Mlp(Mlp),
    Conv(Conv),
}

#[derive(Module, Debug)]
pub struct Vae {
    network: Network,
    latent: Linear,
}

#[derive(Module, Debug)]
struct Mlp {
    hidden: Linear,
    expand: Linear,
    logits: Linear,
}

#[derive(Module, Debug)]
struct Conv {
    halve: Conv2d,
    quarter: Conv2d,
    expand: Linear,
    spread: Linear,
    double: ConvTranspose2d,
    logits: ConvTranspose2d,
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).init(device)
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self {
            hidden: linear(784, 400, device),
            expand: linear(LATENT, 400, device),
            logits: linear(400, 784, device),
        }
    }

    fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        relu(self.hidden.forward(x))
    }

    fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        self.logits.forward(relu(self.expand.forward(z)))
    }
}

impl Conv {
    fn new(device: &Device) -> Self {
        let down = |channels| {
            let config = Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]);
            config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
        };
        let up = |channels| {
            let config = ConvTranspose2dConfig::new(channels, [3, 3]).with_stride([2, 2]);
            config.with_padding([1, 1]).with_padding_out([1, 1]).init(device)
        };
        Self {
            halve: down([1, 32]),
            quarter: down([32, 64]),
            expand: linear(LATENT, 256, device),
            spread: linear(256, 64 * 7 * 7, device),
            double: up([64, 32]),
            logits: up([32, 1]),
        }
    }

    fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let x = relu(self.halve.forward(x.reshape([-1, 1, 28, 28])));
        relu(self.quarter.forward(x)).flatten(1, 3)
    }

    fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        let x = relu(self.spread.forward(relu(self.expand.forward(z)))).reshape([-1, 64, 7, 7]);
        self.logits.forward(relu(self.double.forward(x))).flatten(1, 3)
    }
}

impl Vae {
    /// Nothing where there is no model of that name.
    pub fn new(model: &str, device: &Device) -> Option<Self> {
        let (network, features) = match model {
            "mlp" => (Network::Mlp(Mlp::new(device)), 400),
            "conv" => (Network::Conv(Conv::new(device)), 64 * 7 * 7),
            _ => return None,
        };
        Some(Self { network, latent: linear(features, 2 * LATENT, device) })
    }

    /// Nats per image.
    pub fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        let batch = x.dims()[0];
        let features = match &self.network {
            Network::Mlp(mlp) => mlp.encode(x.clone()),
            Network::Conv(conv) => conv.encode(x.clone()),
        };
        let latent = self.latent.forward(features);
        let mean = latent.clone().narrow(1, 0, LATENT);
        let log_variance = latent.narrow(1, LATENT, LATENT);
        let noise = mean.random_like(Distribution::Normal(0.0, 1.0));
        let z = mean.clone() + (log_variance.clone() * 0.5).exp() * noise;
        let logits = match &self.network {
            Network::Mlp(mlp) => mlp.decode(z),
            Network::Conv(conv) => conv.decode(z),
        };
        let recon = (logits.clone() * (-x + 1.0) - log_sigmoid(logits)).sum();
        let kl = (mean.square() + log_variance.clone().exp() - log_variance - 1.0).sum() * 0.5;
        (recon + kl) / batch as f64
    }
}
