"""Write the golden traces: a few training steps of small VAEs in PyTorch.

Run `python tests/golden/generate.py`; the files are written beside this script.
README.md describes what they hold.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.dont_write_bytecode = True

from networks import CONV, GAUSSIAN, MLP, RESIDUAL, VAE  # and where docs/ is
from evaluate_in_pytorch import ACTIVATIONS

HERE = Path(__file__).parent


def losses(config, x, output, mean, log_variance):
    """Reconstruction loss and KL divergence: sums over an image, means over the batch."""
    if config["likelihood"] == "bernoulli":
        recon = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
    else:
        recon = F.mse_loss(output, x, reduction="sum")
    kl = 0.5 * torch.sum(mean**2 + log_variance.exp() - log_variance - 1)
    return recon / len(x), kl / len(x)


def smooth_images(count, channels, height, width):
    """Random 3x3 images enlarged to the given size, as bytes."""
    coarse = torch.rand(count, channels, 3, 3) * 1.4 - 0.2
    images = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).flatten(1)


def copies(prefix, tensors):
    return {f"{prefix}.{name}": tensor.detach().clone() for name, tensor in tensors}


def state(model):
    """Parameters and running statistics."""
    tensors = model.state_dict().items()
    return [(n, t) for n, t in tensors if not n.endswith("num_batches_tracked")]


def training_trace(config, seed):
    torch.manual_seed(seed)
    steps, batch = config["steps"], config["batch"]
    batches = smooth_images(steps * batch, *config["image"]).reshape(steps, batch, -1)
    noise = torch.randn(steps, batch, config["latent"])
    model = VAE(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["learning_rate"])

    trace = {"batches": batches, "noise": noise, **copies("initial", state(model))}
    history = []
    for step in range(steps):
        x = batches[step].float() / 255
        recon, kl = losses(config, x, *model(x, noise[step]))
        loss = recon + config["kl_weight"] * kl
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            trace |= copies("gradient", ((n, p.grad) for n, p in model.named_parameters()))
        optimizer.step()
        history.append(torch.stack([loss, recon, kl]).detach())
    trace |= copies("final", state(model))
    for name, values in zip(("loss", "recon", "kl"), torch.stack(history, dim=1)):
        trace[name] = values.clone()
    model.eval()
    with torch.no_grad():
        recon, kl = losses(config, x, *model(x, noise[-1]))
    trace["evaluation"] = torch.stack([recon + config["kl_weight"] * kl, recon, kl])
    return trace


def activation_table():
    """Every activation and its gradient, computed in float64 from float32 inputs."""
    torch.manual_seed(0)
    grid = 30 * (torch.arange(-124, 125, dtype=torch.float64) / 124) ** 3  # dense near zero
    extra = torch.tensor([1e-4, 0.5, 50, 100], dtype=torch.float64)
    inputs = torch.cat([grid, extra, -extra]).sort().values.float()

    table = {}
    for name, activation in ACTIVATIONS.items():
        x = inputs.double().requires_grad_()
        dy = torch.randn(len(inputs))
        y = activation()(x)
        y.backward(dy.double())
        for key, tensor in {"x": inputs, "y": y, "dy": dy, "dx": x.grad}.items():
            table[f"{name}.{key}"] = tensor.detach().float().clone()
    return table


def save(name, config, tensors):
    # One metadata entry only: safetensors does not keep the order of several.
    save_file(tensors, HERE / f"{name}.safetensors", metadata={"config": json.dumps(config)})


def main():
    torch.set_num_threads(1)
    save("mlp", MLP, training_trace(MLP, seed=1))
    save("gaussian", GAUSSIAN, training_trace(GAUSSIAN, seed=2))
    save("conv", CONV, training_trace(CONV, seed=3))
    save("residual", RESIDUAL, training_trace(RESIDUAL, seed=5))
    save("activations", {"activations": list(ACTIVATIONS)}, activation_table())


if __name__ == "__main__":
    main()
