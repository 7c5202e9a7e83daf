"""Rebuild any trained model in PyTorch from the configuration in its file.

    python evaluate_in_pytorch.py model.safetensors [t10k-images-idx3-ubyte.gz [t10k-labels-idx1-ubyte.gz]]

Given a file of images as well, print the losses on them at the posterior mean; a model that is conditioned
on labels takes the file of those, too.
"""

import gzip
import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU,
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus,
}  # fmt: skip


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def layer(spec, shape, image):
    """The module that `spec` names, for inputs of `shape` (without the batch)."""
    if isinstance(spec, str):
        spec = {spec: None}
    options = dict(spec)
    name = next(iter(options))
    size = options.pop(name)
    # Windows, strides and paddings: a number, or one down and one across.
    options = {key: tuple(n) if isinstance(n, list) else n for key, n in options.items()}
    n = {"image": image[0] if "conv" in name else int(np.prod(image))}.get(str(size), size)
    if "kernel" in options:
        options["kernel_size"] = options.pop("kernel")
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]()
    return {
        "linear": lambda: nn.Linear(shape[0], n),
        "conv2d": lambda: nn.Conv2d(shape[0], n, **options),
        "conv_transpose2d": lambda: nn.ConvTranspose2d(shape[0], n, **options),
        "max_pool2d": lambda: nn.MaxPool2d(n, **options),
        "avg_pool2d": lambda: nn.AvgPool2d(n, **options),
        "upsample": lambda: nn.Upsample(scale_factor=tuple(n) if isinstance(n, list) else n),
        "pixel_shuffle": lambda: nn.PixelShuffle(n),
        "flatten": lambda: nn.Flatten(),
        "reshape": lambda: nn.Unflatten(1, n),
        "batch_norm": lambda: (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0]),
        "layer_norm": lambda: nn.LayerNorm(shape),
        "dropout": lambda: nn.Dropout(n),
        "residual": lambda: sequence(n, shape, image, Residual)[0],
    }[name]()


def sequence(specs, shape, image, kind=nn.Sequential):
    """The modules that `specs` name, and the shape of what comes out."""
    modules = []
    for spec in specs:
        modules.append(layer(spec, shape, image).eval())
        shape = list(modules[-1](torch.zeros(1, *shape)).shape[1:])
    return kind(*modules), shape


def load(path):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
        weights = {name: file.get_tensor(name) for name in file.keys()}
    model = config["model"]
    image = [config["image"][name] for name in ("channels", "height", "width")]
    first = model["encoder"][0] if model["encoder"] else "flatten"
    flat = first == "flatten" or "linear" in first
    condition = model.get("condition")
    classes = len(condition["classes"]) if condition else 0
    size = condition.get("embedding", classes) if condition else 0
    # A condition is more features, or more channels.
    given = [int(np.prod(image))] if flat else list(image)
    given[0] += size
    encoder, features = sequence(model["encoder"], given, image)
    decoder, _ = sequence(model["decoder"], [model["latent"] + size], image)
    outputs = (2 if model.get("variational", True) else 1) * model["latent"]
    latent = nn.Linear(features[0], outputs)  # the mean, then the log-variance
    vae = nn.ModuleDict({"encoder": encoder, "latent": latent, "decoder": decoder})
    if condition and "embedding" in condition:
        vae["condition"] = nn.Linear(classes, size)
    # A model without running statistics has no count of its batches, and PyTorch wants one.
    extra = vae.load_state_dict({k: v for k, v in weights.items() if "." in k}, strict=False)
    missing = [k for k in extra.missing_keys if not k.endswith("num_batches_tracked")]
    unexpected = [k for k in extra.unexpected_keys if k != "likelihood.log_scale"]
    assert not missing and not unexpected, (missing, unexpected)
    return vae.eval(), config, weights.get("likelihood.log_scale")


def read_idx(path):
    """The images, or the labels, of an IDX file, gzipped or not."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    dimensions = np.frombuffer(data, ">i4", count=data[3], offset=4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    shape = dimensions if data[3] == 1 else [dimensions[0], 1, *dimensions[1:]]
    return torch.from_numpy(values.reshape(*shape).copy())


def beside(x, condition):
    """x, and behind its features or channels those of the condition."""
    if condition is None:
        return x
    if x.dim() == 4:
        condition = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, condition], dim=1)


def log_likelihood(likelihood, log_scale, output, x):
    """The log-density of each pixel."""
    name, scale = likelihood, None
    if isinstance(likelihood, dict):
        [(name, scale)] = likelihood.items()
    if scale == "learnt":
        scale = log_scale.exp()
    if name == "bernoulli":
        return -nn.functional.binary_cross_entropy_with_logits(output, x, reduction="none")
    if name == "continuous_bernoulli":
        return torch.distributions.ContinuousBernoulli(logits=output).log_prob(x)
    if name == "laplace":
        return torch.distributions.Laplace(output, scale or 1.0).log_prob(x)
    if scale is None:  # the squared error: variance 1/2, without its constant
        return -((x - output) ** 2)
    return torch.distributions.Normal(output, scale).log_prob(x)


@torch.no_grad()
def evaluate(vae, config, log_scale, images, labels=None):
    """Mean recon and KL divergence of an image, in nats, with z at the mean of the posterior."""
    model = config["model"]
    recon, kl = 0.0, 0.0
    flat = isinstance(vae["encoder"][0], (nn.Linear, nn.Flatten)) if len(vae["encoder"]) else True
    for first in range(0, len(images), 1000):
        x, condition = images[first : first + 1000].float() / 255, None
        if "condition" in model:
            # Classes of IDX files are called by their numbers, which are in order.
            classes = len(model["condition"]["classes"])
            condition = nn.functional.one_hot(labels[first : first + 1000].long(), classes).float()
            condition = vae["condition"](condition) if "condition" in vae else condition
        head = vae["latent"](vae["encoder"](beside(x.flatten(1) if flat else x, condition)))
        mean = head
        if model.get("variational", True):
            mean, log_variance = head.chunk(2, dim=1)
            divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)
            kl += divergence.double().sum().item() / len(images)
        output = vae["decoder"](beside(mean, condition)).reshape(x.shape)
        error = log_likelihood(model["likelihood"], log_scale, output, x)
        recon -= error.double().sum().item() / len(images)
    return {"recon": recon, "kl": kl}


if __name__ == "__main__":
    vae, config, log_scale = load(sys.argv[1])
    if len(sys.argv) > 2:
        print(json.dumps(evaluate(vae, config, log_scale, *map(read_idx, sys.argv[2:]))))
    else:
        print(vae)
