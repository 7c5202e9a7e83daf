"""Write the golden likelihoods: torch.distributions' log-densities, means and gradients.

Run `python tests/golden/likelihoods.py`; `likelihoods.safetensors` is written beside this script.
README.md describes what it holds.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.distributions import Bernoulli, ContinuousBernoulli, Laplace, Normal

HERE = Path(__file__).parent
SCALE = 0.3  # of the Gaussian and the Laplace distribution


def bernoulli(output, x, _):
    return F.binary_cross_entropy_with_logits(output, x, reduction="none")


def continuous_bernoulli(output, x, _):
    return -ContinuousBernoulli(logits=output).log_prob(x)


def squared_error(output, x, _):
    return F.mse_loss(output, x, reduction="none")


def gaussian(output, x, log_scale):
    return -Normal(output, log_scale.exp()).log_prob(x)


def laplace(output, x, log_scale):
    return -Laplace(output, log_scale.exp()).log_prob(x)


# PyTorch keeps probabilities off 0 and 1, and takes logarithms of 1 - p: the logits stay where
# that costs no digits.
LOGITS = [0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.5, 1.0, 1.7, 1.99, 2.01, 3.0, 5.0, 8.0, 12.0]
VALUES = [-3.0, -0.1, 0.0, 0.2, 0.5, 0.7, 1.0, 1.3, 20.0]
PIXELS = [0.0, 1 / 255, 0.2, 0.5, 0.8, 254 / 255, 1.0]


def main():
    torch.set_num_threads(1)
    logits = [-l for l in LOGITS[:0:-1]] + LOGITS
    tensors = {}
    for loss, outputs in [
        (bernoulli, logits),
        (continuous_bernoulli, logits),
        (squared_error, VALUES),
        (gaussian, VALUES),
        (laplace, VALUES),
    ]:
        # What the kernels are given is of 32 bits, the rest of 64.
        pairs = torch.cartesian_prod(torch.tensor(outputs), torch.tensor(PIXELS))
        output, x = pairs.double().unbind(1)
        output = output.clone().requires_grad_()
        log_scale = torch.tensor([SCALE]).log().double().requires_grad_()
        values = loss(output, x, log_scale)
        values.sum().backward()
        tensors[f"{loss.__name__}.output"] = output.detach().float()
        tensors[f"{loss.__name__}.x"] = x.float()
        tensors[f"{loss.__name__}.loss"] = values.detach()
        tensors[f"{loss.__name__}.doutput"] = output.grad
        if log_scale.grad is not None:
            tensors[f"{loss.__name__}.log_scale"] = log_scale.detach().float()
            tensors[f"{loss.__name__}.dlog_scale"] = log_scale.grad
    for name, family in [("bernoulli", Bernoulli), ("continuous_bernoulli", ContinuousBernoulli)]:
        tensors[f"{name}.mean"] = family(logits=tensors[f"{name}.output"].double()).mean
    save_file({name: t.contiguous() for name, t in tensors.items()}, HERE / "likelihoods.safetensors")


if __name__ == "__main__":
    main()
