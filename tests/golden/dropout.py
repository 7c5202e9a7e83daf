"""Write the golden values of dropout, which PyTorch draws.

Run `python tests/golden/dropout.py`; dropout.safetensors is written beside this script.
README.md describes what it holds.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

SHAPE = (13, 7)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    tensors = {}
    for i, probability in enumerate([0.0, 0.1, 0.5, 0.85]):
        x = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
        y = F.dropout(x, probability)
        dy = torch.randn_like(y)
        y.backward(dy)
        chance = torch.tensor([probability], dtype=torch.float64)
        named = {"probability": chance, "x": x, "y": y, "dy": dy, "dx": x.grad}
        tensors |= {f"{i}.{name}": t.detach().clone() for name, t in named.items()}
    save_file(tensors, Path(__file__).parent / "dropout.safetensors")


if __name__ == "__main__":
    main()
