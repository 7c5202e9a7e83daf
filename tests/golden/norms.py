"""Write norms.safetensors: normalizations in PyTorch, trained for a few steps and evaluated.

Run `python tests/golden/norms.py`; the file is written beside this script.
README.md describes what it holds.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

STEPS = 3

# PyTorch's module, what it is made with, and the shape of a batch.
LAYERS = {
    "batch_features": (nn.BatchNorm1d, 7, (29, 7)),
    "batch_maps": (nn.BatchNorm2d, 5, (3, 5, 6, 7)),
    "layer_features": (nn.LayerNorm, 63, (5, 63)),
    "layer_maps": (nn.LayerNorm, (3, 6, 7), (4, 3, 6, 7)),
}


def trace(kind, size, shape):
    layer = kind(size)
    nn.init.uniform_(layer.weight, 0.5, 1.5)
    nn.init.uniform_(layer.bias, -1, 1)
    tensors = {"weight": layer.weight, "bias": layer.bias}
    for step in range(STEPS):
        x = (3 * torch.randn(shape) + 2).requires_grad_()
        dy = torch.randn(shape)
        layer.zero_grad()
        y = layer(x)
        y.backward(dy)
        gradients = {"dx": x.grad, "dweight": layer.weight.grad, "dbias": layer.bias.grad}
        running = {n: b for n, b in layer.named_buffers() if n.startswith("running")}
        step_tensors = {"x": x, "dy": dy, "y": y, **gradients, **running}
        tensors |= {f"{step}.{n}": t.detach().clone() for n, t in step_tensors.items()}
    layer.eval()
    tensors["evaluated"] = layer(x)
    return tensors


def main():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    file = {}
    for name, layer in LAYERS.items():
        file |= {f"{name}.{n}": t.detach().clone() for n, t in trace(*layer).items()}
    metadata = {"config": json.dumps({"steps": STEPS})}
    save_file(file, Path(__file__).parent / "norms.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
