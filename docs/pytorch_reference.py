"""Train the plain 784-400-20 VAE on MNIST in PyTorch, for comparison.

    python pytorch_reference.py DATA [--seed 0] [--epochs 10]

DATA is the folder of the MNIST IDX files, gzipped or not. After every epoch, prints the test loss
in nats per image: with z sampled from the posterior, and with z at its mean.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BATCH = 128
LEARNING_RATE = 1e-3


class VAE(nn.Module):
    def __init__(self, pixels=784, hidden=400, latent=20):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU())
        self.latent = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def loss(self, x, sample=True):
        """The reconstruction loss and the KL divergence, summed over the batch."""
        mean, log_variance = self.latent(self.encoder(x)).chunk(2, dim=1)
        z = mean
        if sample:
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        recon = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        kl = 0.5 * torch.sum(mean**2 + log_variance.exp() - log_variance - 1)
        return recon, kl


def read_images(folder, name, device):
    path = Path(folder) / name
    data = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    images = np.frombuffer(data, np.uint8, offset=16).reshape(-1, 784)
    return torch.tensor(images, device=device).float() / 255


def train_epoch(model, optimizer, images):
    for indices in torch.randperm(len(images), device=images.device).split(BATCH):
        recon, kl = model.loss(images[indices])
        optimizer.zero_grad()
        ((recon + kl) / len(indices)).backward()
        optimizer.step()


@torch.no_grad()
def test_loss(model, images, sample):
    batches = images.split(1000)
    recon, kl = torch.tensor([model.loss(x, sample) for x in batches]).double().sum(0) / len(images)
    return {"loss": (recon + kl).item(), "recon": recon.item(), "kl": kl.item()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder of the MNIST IDX files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train = read_images(args.data, "train-images-idx3-ubyte", device)
    test = read_images(args.data, "t10k-images-idx3-ubyte", device)
    model = VAE().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        train_epoch(model, optimizer, train)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        sampled = test_loss(model, test, sample=True)
        mean = test_loss(model, test, sample=False)
        row = {"epoch": epoch, "seconds": round(seconds, 3), "test": sampled, "test_at_mean": mean}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
