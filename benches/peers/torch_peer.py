"""The PyTorch peer: `python torch_peer.py VARIANT MODEL DATA`, where MODEL is `mlp` or `conv` and
DATA holds an unpacked IDX file.

Prints a line of JSON when it is ready; then trains as many epochs as each line of its input says,
and answers with their seconds and mean losses.
"""

import json
import sys
import time
from pathlib import Path


def say(**fields):
    print(json.dumps(fields), flush=True)


try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    say(skip=f"no PyTorch ({error})", also="torch")
    sys.exit()

BATCH = 128
LEARNING_RATE = 1e-3
# Enough for the autotuner, for CUDA graph trees (which warm up, then record) and for a capture.
WARM_UP_STEPS = 8

# device, fused Adam, mode of torch.compile, one CUDA graph of the whole step
VARIANTS = {
    "torch-cpu": ("cpu", False, None, False),
    "torch-eager": ("cuda", False, None, False),
    "torch-fused": ("cuda", True, None, False),
    "torch-reduce-overhead": ("cuda", True, "reduce-overhead", False),
    "torch-max-autotune": ("cuda", True, "max-autotune", False),
    "torch-graph": ("cuda", True, None, True),
    "torch-graph-autotune": ("cuda", True, "max-autotune-no-cudagraphs", True),
}


def mlp():
    """Encoder, its number of features, and decoder."""
    encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU())
    return encoder, 400, nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))


def conv():
    down = {"kernel_size": 3, "stride": 2, "padding": 1}
    up = {**down, "output_padding": 1}
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, **down),
        nn.ReLU(),
        nn.Conv2d(32, 64, **down),
        nn.ReLU(),
        nn.Flatten(),
    )
    decoder = nn.Sequential(
        nn.Linear(20, 256),
        nn.ReLU(),
        nn.Linear(256, 64 * 7 * 7),
        nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, **up),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, **up),
        nn.Flatten(),
    )
    return encoder, 64 * 7 * 7, decoder


class VAE(nn.Module):
    def __init__(self, images, model):
        super().__init__()
        self.encoder, features, self.decoder = {"mlp": mlp, "conv": conv}[model]()
        self.latent = nn.Linear(features, 2 * 20)
        # A buffer has a fixed address, so that a compiled graph gathers from it without a copy.
        self.register_buffer("images", images, persistent=False)

    def forward(self, indices):
        """The loss of a batch: nats per image."""
        x = self.images[indices]
        mean, log_variance = self.latent(self.encoder(x)).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        recon = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        kl = 0.5 * torch.sum(mean**2 + log_variance.exp() - log_variance - 1)
        return (recon + kl) / len(indices)


def read_images(folder, device):
    data = bytearray((Path(folder) / "train-images-idx3-ubyte").read_bytes())
    pixels = torch.frombuffer(data, dtype=torch.uint8, offset=16)
    return pixels.reshape(-1, 784).to(device).float() / 255


class Trainer:
    def __init__(self, images, model, fused, mode, graph):
        self.images = images
        self.device = images.device
        self.vae = VAE(images, model).to(self.device)
        self.loss = torch.compile(self.vae, mode=mode) if mode else self.vae
        self.optimizer = torch.optim.Adam(
            self.vae.parameters(), lr=LEARNING_RATE, fused=fused or None, capturable=graph
        )
        self.total = torch.zeros((), device=self.device)
        self.order = torch.arange(len(images), device=self.device)
        self.first = torch.zeros((), dtype=torch.int64, device=self.device)
        self.batch = torch.arange(BATCH, device=self.device)
        self.graph = None
        initial = [p.detach().clone() for p in self.vae.parameters()]
        self.warm_up(graph)
        # What the warm-up has trained is undone in place: graphs remember addresses.
        with torch.no_grad():
            for parameter, value in zip(self.vae.parameters(), initial):
                parameter.copy_(value)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()

    def warm_up(self, graph):
        if not graph:
            for _ in range(WARM_UP_STEPS):
                self.step(self.order[:BATCH])
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                self.next_step()
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        self.first.zero_()
        with torch.cuda.graph(self.graph):
            self.next_step()

    def step(self, indices):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(indices)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()

    def next_step(self):
        """A step that finds its batch on the device, so that a graph can replay it."""
        self.step(self.order[self.first + self.batch])
        self.first += BATCH

    def epoch(self):
        """The mean loss; reading it waits for the device."""
        self.total.zero_()
        order = torch.randperm(len(self.images), device=self.device)
        if self.graph is None:
            for indices in order.split(BATCH):
                torch.compiler.cudagraph_mark_step_begin()
                self.step(indices)
        else:
            self.order.copy_(order)
            self.first.zero_()
            for _ in range(len(order) // BATCH):
                self.graph.replay()
        return self.total.item() / (len(order) // BATCH)


def main():
    name, model, folder = sys.argv[1:]
    device, fused, mode, graph = VARIANTS[name]
    if device == "cuda" and not torch.cuda.is_available():
        others = ",".join(name for name, variant in VARIANTS.items() if variant[0] == "cuda")
        say(skip=f"PyTorch {torch.__version__} finds no CUDA device", also=others)
        return
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # convolutions are tuned, as ours are
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(0)
    images = read_images(folder, device)
    begun = time.perf_counter()
    trainer = Trainer(images, model, fused, mode, graph)
    if device == "cuda":
        torch.cuda.synchronize()
    warm_up = time.perf_counter() - begun
    hardware = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
    cuda = f", CUDA {torch.version.cuda}" if device == "cuda" else ""
    say(
        device=device,
        hardware=f"{hardware}{threads}",
        version=f"PyTorch {torch.__version__}{cuda}",
        warm_up=warm_up,
        warm_up_of=f"{WARM_UP_STEPS} steps" + (", compiling included" if mode else ""),
    )
    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(int(line)):
            begun = time.perf_counter()
            losses.append(trainer.epoch())
            seconds.append(time.perf_counter() - begun)
        say(seconds=seconds, losses=losses)


if __name__ == "__main__":
    main()
