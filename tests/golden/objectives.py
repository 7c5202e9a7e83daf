"""Write the golden objectives: what becomes of the KL divergence, by torch.distributions and autograd.

Run `python tests/golden/objectives.py`; objectives.safetensors is written beside this script.
README.md describes what it holds.
"""

import json
import math
import tomllib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.distributions import Normal, kl_divergence

HERE = Path(__file__).parent
ROWS, LATENT = 29, 5
STEPS_PER_EPOCH = 6

# A configuration, and the steps to look at: within a ramp, around its end, and after it.
CASES = [
    ("[model]\nkl_weight = 0.7\n", [0, 23]),
    ("[model]\nkl_weight = 0.7\nkl_schedule = { warmup = 1.5 }\n", [0, 4, 8, 9, 10, 23]),
    (
        "[model]\nkl_weight = 2.0\nkl_schedule = { cyclical = { cycles = 2, ramp = 0.5 } }\n"
        "[train]\nepochs = 4\n",
        [0, 1, 5, 6, 11, 12, 13, 17, 18, 23],
    ),
    # The divergence, about 7 nats, is above the capacity at first.
    (
        "[model]\nkl_weight = 3.0\nkl_schedule = { capacity = { nats = 14.0, epochs = 2.0 } }\n",
        [0, 1, 5, 7, 11, 12, 13, 20],
    ),
    ("[model]\nkl_weight = 0.7\nfree_bits = 0.5\n", [0, 5]),
    (
        "[model]\nkl_weight = 0.7\nfree_bits = 0.5\nkl_schedule = { warmup = 2.0 }\n",
        [0, 7, 11, 12, 13],
    ),
]


def ramp(config, step):
    """The share of the weight, or of the capacity, at a step counted from 0; none is the last."""
    schedule = config["model"].get("kl_schedule", {})
    if step is None or not schedule:
        return 1.0
    if "cyclical" in schedule:
        # Fu et al. 2019, equation 6, where steps are counted from 1.
        cycles, share = schedule["cyclical"]["cycles"], schedule["cyclical"]["ramp"]
        total = config["train"]["epochs"] * STEPS_PER_EPOCH
        tau = step % math.ceil(total / cycles) / (total / cycles)
        return min(1.0, tau / share)
    epochs = schedule["capacity"]["epochs"] if "capacity" in schedule else schedule["warmup"]
    return min(1.0, step / (epochs * STEPS_PER_EPOCH))


def divergences(mean, log_variance):
    """Of each image and unit."""
    posterior = Normal(mean, (log_variance / 2).exp())
    return kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean)))


def cost(config, units, share):
    """What the objective makes of the units' mean divergences."""
    model = config["model"]
    schedule = model.get("kl_schedule", {})
    if "capacity" in schedule:
        return model["kl_weight"] * (units.sum() - share * schedule["capacity"]["nats"]).abs()
    free = torch.full_like(units, model.get("free_bits", 0.0))
    return share * model["kl_weight"] * torch.maximum(units, free).sum()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    # Units that hardly differ from the prior, or from image to image, and others; off zero, where a
    # variance is a small difference.
    spread, centre = torch.tensor([1.5, 0.05, 0.13, 0.02, 1.0]), torch.tensor([0.2, 0, 0, 3.0, -0.5])
    mean = centre + spread * torch.randn(ROWS, LATENT)
    log_variance = torch.tensor([-2.0, 0.0, -0.3, -1.0, 0.5]) + 0.3 * torch.randn(ROWS, LATENT)
    head = torch.cat([mean, log_variance], dim=1)
    epsilon, dz = torch.randn(ROWS, LATENT), torch.randn(ROWS, LATENT)
    units = divergences(*head.double().chunk(2, dim=1)).mean(0)
    # Burda et al. 2016, section 5.2.
    active = (mean.double().var(0, correction=0) > 0.01).sum().reshape(1)
    tensors = {"head": head, "epsilon": epsilon, "dz": dz, "unit_kl": units, "active": active.double()}
    for i, (text, steps) in enumerate(CASES):
        config = tomllib.loads(text)
        tensors[f"{i}.cost"] = cost(config, units, ramp(config, None)).reshape(1)
        for step in steps:
            leaf = head.double().requires_grad_()
            mean, log_variance = leaf.chunk(2, dim=1)
            z = mean + (log_variance / 2).exp() * epsilon.double()
            objective = cost(config, divergences(mean, log_variance).mean(0), ramp(config, step))
            ((z * dz.double()).sum() + objective).backward()
            tensors[f"{i}.{step}.dhead"] = leaf.grad
    config = {"steps_per_epoch": STEPS_PER_EPOCH, "cases": CASES}
    metadata = {"config": json.dumps(config)}
    save_file(tensors, HERE / "objectives.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
