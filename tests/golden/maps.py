"""Write the golden values of the layers on maps that multiply nothing, as pooling and flattening.

Run `python tests/golden/maps.py`; `maps.safetensors` is written beside this script. README.md
describes what it holds.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from convolutions import flat

HERE = Path(__file__).parent

# Batch, channels, height, width; then the layer's own: window, stride and padding, or the factor. The
# sides of pairs, down and across, follow each other in the arguments.
PAIRS = [
    [2, 3, 7, 9, (3, 2), (2, 3), (1, 0)],
    [1, 2, 5, 8, (1, 4), (1, 2), (0, 2)],
    [1, 1, 9, 4, (5, 3), (3, 1), (2, 1)],
]
LAYERS = {
    "max_pool2d": (
        nn.MaxPool2d,
        [[1, 1, 1, 1, 1, 1, 0], [2, 3, 5, 7, 2, 2, 0], [1, 5, 7, 5, 3, 2, 1], [2, 1, 9, 4, 2, 3, 0]]
        + PAIRS,
    ),
    "avg_pool2d": (
        nn.AvgPool2d,
        [[1, 1, 1, 1, 1, 1, 0], [2, 3, 5, 7, 2, 2, 0], [1, 5, 7, 5, 3, 2, 1], [2, 1, 6, 6, 3, 1, 1]]
        + PAIRS,
    ),
    "upsample": (
        lambda factor: nn.Upsample(scale_factor=factor),
        [[1, 1, 1, 1, 1], [2, 3, 3, 5, 2], [1, 5, 2, 1, 3], [2, 3, 4, 3, (1, 2)], [1, 2, 2, 3, (3, 2)]],
    ),
    "flatten": (nn.Flatten, [[1, 1, 1, 1], [2, 3, 5, 4], [3, 5, 1, 2]]),
    "pixel_shuffle": (nn.PixelShuffle, [[1, 1, 1, 1, 1], [2, 12, 3, 5, 2], [1, 27, 2, 1, 3]]),
}


def laid_out(tensor):
    return (flat(tensor) if tensor.dim() == 4 else tensor.detach()).contiguous().clone()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    tensors = {}
    for name, (layer, cases) in LAYERS.items():
        for number, case in enumerate(cases):
            # Few different values, so that windows have ties.
            x = torch.randint(-4, 5, case[:4]).double().div(4).requires_grad_()
            y = layer(*case[4:])(x)
            dy = torch.randn_like(y)
            y.backward(dy)
            sides = [n for size in case for n in (size if isinstance(size, tuple) else [size])]
            named = {"arguments": torch.tensor(sides), "x": x, "y": y, "dy": dy, "dx": x.grad}
            tensors |= {f"{name}.{number}.{key}": laid_out(t) for key, t in named.items()}
    save_file(tensors, HERE / "maps.safetensors")


if __name__ == "__main__":
    main()
