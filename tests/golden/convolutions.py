"""Write the golden convolutions: PyTorch's conv2d and conv_transpose2d with their gradients.

Run `python tests/golden/convolutions.py`; `convolutions.safetensors` is written beside this script.
README.md describes what it holds.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent

# Transposed, batch, inputs, height, width, outputs; kernel, stride, padding and output padding, each
# for both directions or a pair of down and across.
CASES = [
    [0, 2, 3, 5, 4, 2, 3, 2, 1, 0],
    [0, 1, 2, 7, 8, 3, 2, 3, 0, 0],
    [0, 3, 1, 2, 2, 4, 4, 1, 2, 0],
    [1, 2, 3, 3, 4, 2, 3, 2, 1, 1],
    [1, 1, 2, 3, 2, 3, 2, 3, 0, 2],
    [1, 3, 4, 2, 3, 1, 4, 1, 2, 0],
    [0, 2, 3, 9, 8, 2, (3, 2), (2, 3), (1, 0), 0],
    [0, 1, 2, 4, 11, 5, (1, 4), (3, 1), (0, 2), 0],
    [0, 2, 1, 7, 5, 3, (5, 3), (1, 2), (2, 1), 0],
    [1, 2, 3, 9, 4, 2, 3, 2, 1, (0, 1)],
    [1, 2, 2, 3, 5, 3, (4, 3), (3, 1), (0, 1), (2, 0)],
    [1, 1, 3, 4, 2, 4, (2, 5), (1, 4), (1, 0), (0, 3)],
]


def flat(map):
    """As the kernels have it: a row of channels for each pixel."""
    return map.detach().permute(0, 2, 3, 1).flatten(0, 2)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    tensors = {}
    for number, case in enumerate(CASES):
        transposed, batch, inputs, height, width, outputs, *pairs = case
        pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in pairs]
        kernel, stride, padding, more = pairs
        channels = [inputs, outputs] if transposed else [outputs, inputs]
        x, weight, bias = (
            torch.randn(shape, dtype=torch.float64, requires_grad=True)
            for shape in [(batch, inputs, height, width), (*channels, *kernel), (outputs,)]
        )
        if transposed:
            y = F.conv_transpose2d(x, weight, bias, stride, padding, more)
        else:
            y = F.conv2d(x, weight, bias, stride, padding)
        dy = torch.randn_like(y)
        y.backward(dy)
        named = {
            "arguments": torch.tensor(case[:6] + [side for pair in pairs for side in pair]),
            "x": flat(x),
            "weight": weight.detach(),
            "bias": bias.detach(),
            "y": flat(y),
            "dy": flat(dy),
            "dx": flat(x.grad),
            "dweight": weight.grad,
            "dbias": bias.grad,
        }
        tensors |= {f"{number}.{name}": t.contiguous() for name, t in named.items()}
    save_file(tensors, HERE / "convolutions.safetensors")


if __name__ == "__main__":
    main()
