"""Write what PyTorch draws initial weights from, as it asks for it.

Run `python tests/golden/initial.py`; initial.safetensors is written beside this script.
README.md describes what it holds.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.dont_write_bytecode = True

from networks import VAE

# Inputs, outputs and kernels differ, so that no fan is like another.
CONFIG = {
    "image": [3, 12, 8],
    "latent": 3,
    "layers": """\
encoder = [
    { conv2d = 7, kernel = 3, stride = 2, padding = 1 },
    "batch_norm",
    { conv2d = 11, kernel = [2, 3] },
    "layer_norm",
    "flatten",
    { linear = 23 },
    "layer_norm",
]
decoder = [
    { linear = 54 },
    "batch_norm",
    { reshape = [9, 3, 2] },
    { conv_transpose2d = 5, kernel = [4, 2], stride = 2, padding = [1, 0] },
    { residual = [{ conv_transpose2d = 13, kernel = 1 }, { conv2d = 5, kernel = 5, padding = 2 }] },
    { conv_transpose2d = "image", kernel = 2, stride = 2 },
]
""",
}


def main():
    torch.manual_seed(1)
    ranges = {}
    draw = torch.Tensor.uniform_

    def recorded(tensor, low=0.0, high=1.0, **arguments):
        ranges[tensor.data_ptr()] = (low, high)
        return draw(tensor, low, high, **arguments)

    torch.Tensor.uniform_ = recorded
    model = VAE(CONFIG)
    tensors = {}
    for name, values in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        low, high = ranges.get(values.data_ptr(), (values.min().item(), values.max().item()))
        assert values.data_ptr() in ranges or low == high, name
        tensors[name] = torch.tensor([low, high], dtype=torch.float64)
    save_file(
        tensors,
        Path(__file__).parent / "initial.safetensors",
        metadata={"config": json.dumps(CONFIG)},
    )


if __name__ == "__main__":
    main()
