"""Layers as a configuration names them, in PyTorch."""

import math

import torch
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def layer(name, size, options, shape, image):
    """The layer for inputs of `shape`; `image` is what the size "image" stands for."""
    options = {"kernel_size" if o == "kernel" else o: v for o, v in options.items()}
    channels = image[0] if size == "image" else size
    match name:
        case "linear":
            return nn.Linear(shape[0], math.prod(image) if size == "image" else size)
        case "conv2d":
            return nn.Conv2d(shape[0], channels, **options)
        case "conv_transpose2d":
            return nn.ConvTranspose2d(shape[0], channels, **options)
        case "max_pool2d":
            return nn.MaxPool2d(size, **options)
        case "avg_pool2d":
            return nn.AvgPool2d(size, **options)
        case "upsample":
            return nn.Upsample(scale_factor=size)
        case "pixel_shuffle":
            return nn.PixelShuffle(size)
        case "flatten":
            return nn.Flatten()
        case "reshape":
            return nn.Unflatten(1, size)
        case "batch_norm":
            return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
        case "layer_norm":
            return nn.LayerNorm(shape)
        case "residual":
            return chain(size, shape, image, Residual)[0]
    return ACTIVATIONS[name]()


def chain(specs, shape, image, kind=nn.Sequential):
    """All layers of a list, and the shape of what they give. A layer is its name, or a table of its
    name with its size and of its options."""
    layers = []
    for spec in specs:
        (name, size), *options = spec.items() if isinstance(spec, dict) else [(spec, None)]
        layers.append(layer(name, size, dict(options), shape, image))
        # Of two images, since batch normalization takes no single one in training.
        shape = layers[-1].eval()(torch.zeros(2, *shape)).shape[1:]
        layers[-1].train()
    return kind(*layers), shape
