"""The networks of the traces, whose layers are written as in a configuration.

Run by generate.py. README.md describes what the files hold.
"""

import math
import sys
import tomllib
from pathlib import Path

import torch
from torch import nn

sys.path.append(str(Path(__file__).parents[2] / "docs"))

from evaluate_in_pytorch import sequence

MLP = {
    "image": [1, 7, 9],
    "latent": 5,
    "layers": """\
encoder = [{ linear = 33 }, "relu"]
decoder = [{ linear = 33 }, "relu", { linear = "image" }]
""",
    "likelihood": "bernoulli",
    "kl_weight": 1.0,
    "learning_rate": 1e-3,
    "batch": 29,
    "steps": 10,
}

GAUSSIAN = {
    "image": [1, 8, 8],
    "latent": 2,
    "layers": """\
encoder = [{ linear = 40 }, "tanh", { linear = 24 }, "tanh"]
decoder = [{ linear = 24 }, "tanh", { linear = 40 }, "tanh", { linear = "image" }, "sigmoid"]
""",
    "likelihood": "gaussian",
    "kl_weight": 0.5,
    "learning_rate": 3e-3,
    "batch": 32,
    "steps": 10,
}

CONV = {
    "image": [3, 12, 8],
    "latent": 3,
    "layers": """\
encoder = [
    { conv2d = 6, kernel = 3, stride = 2, padding = 1 },
    "relu",
    { max_pool2d = 3, stride = 2, padding = 1 },
    { conv2d = 10, kernel = 3, padding = 1 },
    "elu",
    "flatten",
    { linear = 17 },
    "relu",
]
decoder = [
    { linear = 17 },
    "relu",
    { linear = 60 },
    "relu",
    { reshape = [10, 3, 2] },
    { conv_transpose2d = 6, kernel = 3, stride = 2, padding = 1, output_padding = 1 },
    "relu",
    { upsample = 2 },
    { conv2d = "image", kernel = 3, padding = 1 },
]
""",
    "likelihood": "bernoulli",
    "kl_weight": 1.0,
    "learning_rate": 1e-3,
    "batch": 29,
    "steps": 10,
}

# What only shifts the channels of a batch normalization's input has no effect, as the bias of a
# convolution right before it. Its gradient is a rounding error, which Adam would blow up to whole
# steps. So there is an activation, and a curved one, before each batch normalization here.
RESIDUAL = {
    "image": [1, 9, 11],
    "latent": 2,
    "layers": """\
encoder = [
    { conv2d = 8, kernel = 3, stride = 2, padding = 1 },
    "tanh",
    "batch_norm",
    { residual = [
        { conv2d = 5, kernel = 3, padding = 1 },
        "relu",
        "batch_norm",
        { conv2d = 8, kernel = 3, padding = 1 },
    ] },
    "elu",
    { avg_pool2d = 2 },
    "layer_norm",
    "leaky_relu",
    "flatten",
    { linear = 20 },
    "layer_norm",
    "relu",
]
decoder = [
    { linear = 20 },
    "silu",
    "batch_norm",
    { linear = 240 },
    { reshape = [8, 5, 6] },
    "layer_norm",
    "gelu",
    { residual = ["batch_norm", "relu", { conv2d = 8, kernel = 3, padding = 1 }, "tanh"] },
    "relu",
    { conv_transpose2d = "image", kernel = 3, stride = 2, padding = 1 },
    "sigmoid",
]
""",
    "likelihood": "gaussian",
    "kl_weight": 0.5,
    "learning_rate": 3e-3,
    "batch": 32,
    "steps": 10,
}


class VAE(nn.Module):
    def __init__(self, config):
        super().__init__()
        image = config["image"]
        layers = tomllib.loads(config["layers"])
        # Linear layers take an image as features.
        self.input = [math.prod(image)] if "linear" in layers["encoder"][0] else image
        self.encoder, (features,) = sequence(layers["encoder"], self.input, image)
        self.latent = nn.Linear(features, 2 * config["latent"])
        self.decoder, _ = sequence(layers["decoder"], [config["latent"]], image)
        self.train()  # `sequence` leaves its layers ready for evaluation

    def forward(self, x, noise):
        x = x.unflatten(1, self.input)
        mean, log_variance = self.latent(self.encoder(x)).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return self.decoder(z).flatten(1), mean, log_variance
