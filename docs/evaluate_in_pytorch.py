"""Rebuild any trained model in PyTorch from the configuration in its file.

    python evaluate_in_pytorch.py model.safetensors [t10k-images-idx3-ubyte.gz]

Given a file of images as well, print the loss on them at the posterior mean.
"""

import gzip
import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

ACTIVATIONS = {
    "none": nn.Identity, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
    "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}  # fmt: skip


def load(path):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
        weights = {name: file.get_tensor(name) for name in file.keys()}
    model, image = config["model"], config["image"]
    sizes = [image["width"] * image["height"] * image["channels"], *model["encoder"]]
    decoder_sizes = [model["latent"], *model["decoder"]]
    activation = ACTIVATIONS[model["activation"]]
    hidden = lambda s: [m for i, o in zip(s, s[1:]) for m in (nn.Linear(i, o), activation())]
    output = [nn.Linear(decoder_sizes[-1], sizes[0]), ACTIVATIONS[model["output_activation"]]()]
    vae = nn.ModuleDict({
        "encoder": nn.Sequential(*hidden(sizes)),
        "latent": nn.Linear(sizes[-1], 2 * model["latent"]),  # the mean, then the log-variance
        "decoder": nn.Sequential(*hidden(decoder_sizes), *output),
    })
    vae.load_state_dict(weights)
    return vae.eval(), config


def read_idx(path):
    """The images of an IDX file, gzipped or not: one row of bytes each."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    dimensions = np.frombuffer(data, ">i4", count=data[3], offset=4)
    images = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    return torch.from_numpy(images.reshape(dimensions[0], -1).copy())


@torch.no_grad()
def evaluate(vae, config, images):
    """Mean loss of an image, in nats, with z at the mean of the posterior."""
    recon, kl = 0.0, 0.0
    for batch in images.split(1000):
        x = batch.float() / 255
        mean, log_variance = vae["latent"](vae["encoder"](x)).chunk(2, dim=1)
        output = vae["decoder"](mean)
        if config["model"]["likelihood"] == "bernoulli":
            error = nn.functional.binary_cross_entropy_with_logits(output, x, reduction="none")
        else:
            error = (x - output) ** 2
        recon += error.double().sum().item() / len(images)
        divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)
        kl += divergence.double().sum().item() / len(images)
    return {"loss": recon + config["model"]["kl_weight"] * kl, "recon": recon, "kl": kl}


if __name__ == "__main__":
    vae, config = load(sys.argv[1])
    if len(sys.argv) > 2:
        print(json.dumps(evaluate(vae, config, read_idx(sys.argv[2]))))
    else:
        print(vae)
