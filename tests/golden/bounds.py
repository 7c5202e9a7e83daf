"""Write the golden traces of conditional models and of bounds of several samples.

Run `python tests/golden/bounds.py`; the files are written beside this script.
README.md describes what they hold.
"""

import math
import tomllib

import torch
import torch.nn.functional as F
from torch import nn

from generate import copies, save, smooth_images, state
from evaluate_in_pytorch import sequence

DENSE = """\
encoder = [{ linear = 33 }, "relu"]
decoder = [{ linear = 33 }, "tanh", { linear = "image" }]
"""
CONVOLUTIONS = """\
encoder = [
    { conv2d = 6, kernel = 3, stride = 2, padding = 1 },
    "relu",
    "flatten",
    { linear = 17 },
    "relu",
]
decoder = [
    { linear = 72 },
    "relu",
    { reshape = [6, 4, 3] },
    { conv_transpose2d = "image", kernel = 3, stride = 2, padding = 1, output_padding = 1 },
]
"""
LEVEL = """
[[levels]]
latent = 3
kl_weight = %s
%s
encoder = [{ linear = 7 }, "tanh"]
decoder = [{ linear = 11 }, "tanh"]
"""
LABEL = 'condition = { column = "label", classes = ["a", "b", "c", "d"] }\n'
EMBEDDED = 'condition = { column = "label", embedding = 3, classes = ["a", "b", "c", "d"] }\n'

TRACES = {
    "conditional": ([1, 7, 9], LABEL + DENSE),
    "samples": ([1, 7, 9], "samples = 3\n" + DENSE),
    "iwae": ([1, 7, 9], 'samples = 5\nbound = "iwae"\n' + DENSE),
    "dreg": ([1, 7, 9], 'samples = 5\nbound = "iwae"\ngradient = "dreg"\n' + DENSE),
    "levels": (
        [1, 7, 9],
        "kl_schedule = { warmup = 4 }\n" + DENSE + LEVEL % (0.5, "kl_schedule = { warmup = 7 }"),
    ),
    "levels_iwae": ([1, 7, 9], 'samples = 5\nbound = "iwae"\n' + DENSE + LEVEL % (1.0, "")),
    "laplace": ([1, 7, 9], 'prior = "laplace"\n' + DENSE),
    "conditional_iwae": (
        [3, 8, 6],
        'samples = 2\nbound = "iwae"\n' + EMBEDDED + CONVOLUTIONS,
    ),
}
BATCH, STEPS, LATENT, LEARNING_RATE = 29, 10, 5, 1e-3


class VAE(nn.Module):
    def __init__(self, image, config):
        super().__init__()
        condition = config.get("condition")
        self.classes = len(condition["classes"]) if condition else 0
        size = condition.get("embedding", self.classes) if condition else 0
        self.condition = nn.Linear(self.classes, size) if size != self.classes else None
        self.samples = config.get("samples", 1)
        self.bound, self.gradient = config.get("bound", "elbo"), config.get("gradient")
        flat = "linear" in config["encoder"][0]
        self.input = [math.prod(image)] if flat else image
        given = [self.input[0] + size, *self.input[1:]]
        self.encoder, (features,) = sequence(config["encoder"], given, image)
        self.latent = nn.Linear(features, 2 * LATENT)
        self.prior, self.schedules, below = config.get("prior", "normal"), [config], LATENT
        self.levels = nn.ModuleList()
        for level in config.get("levels", []):
            encoder, (features,) = sequence(level["encoder"], [below], image)
            decoder, (others,) = sequence(level["decoder"], [level["latent"]], image)
            self.levels.append(
                nn.ModuleDict(
                    {
                        "encoder": encoder,
                        "latent": nn.Linear(features, 2 * level["latent"]),
                        "decoder": decoder,
                        "prior": nn.Linear(others, 2 * below),
                    }
                )
            )
            self.schedules.append(level)
            below = level["latent"]
        self.decoder, _ = sequence(config["decoder"], [LATENT + size], image)
        self.train()

    def beside(self, x, condition):
        if condition is None:
            return x
        if x.dim() == 4:
            condition = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return torch.cat([x, condition], dim=1)

    def divergences(self, mean, log_variance, z, above):
        """Each level's divergence by its samples, that of the last in closed form for the plain bound."""

        def log_prob(mean, log_variance, z):
            return torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)).log_prob(z).sum(1)

        found = []
        for level, noise in zip(self.levels, above):
            head = level["latent"](level["encoder"](z)).chunk(2, dim=1)
            sample = head[0] + torch.exp(0.5 * head[1]) * noise
            prior = level["prior"](level["decoder"](sample)).chunk(2, dim=1)
            found.append(log_prob(mean, log_variance, z) - log_prob(*prior, z))
            (mean, log_variance), z = head, sample
        if self.bound == "elbo" and self.prior == "normal":
            found.append(0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1))
        else:
            kind = {"normal": torch.distributions.Normal, "laplace": torch.distributions.Laplace}
            prior = kind[self.prior](0.0, 1.0)
            found.append(log_prob(mean, log_variance, z) - prior.log_prob(z).sum(1))
        return found

    def losses(self, pixels, noise, classes, above=(), step=None):
        """The loss, beside it the mean reconstruction loss and divergence in nats an image, and what is
        minimized in a step, where weights may still be rising."""
        condition = F.one_hot(classes, self.classes).float() if self.classes else None
        if self.condition:
            condition = self.condition(condition)
        x = pixels.unflatten(1, self.input)
        moments = self.latent(self.encoder(self.beside(x, condition)))
        mean, log_variance = moments.repeat_interleave(self.samples, dim=0).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * noise
        if condition is not None:
            condition = condition.repeat_interleave(self.samples, dim=0)
        output = self.decoder(self.beside(z, condition)).flatten(1)
        target = pixels.repeat_interleave(self.samples, dim=0)
        recon = F.binary_cross_entropy_with_logits(output, target, reduction="none").sum(1)
        if self.bound == "elbo":
            levels = [kl.mean() for kl in self.divergences(mean, log_variance, z, above)]
            loss = minimized = recon.mean()
            for kl, schedule in zip(levels, self.schedules):
                weight = schedule.get("kl_weight", 1.0)
                steps = schedule.get("kl_schedule", {}).get("warmup", 0)
                loss = loss + weight * kl
                rising = weight if step is None or step >= steps else weight * step / steps
                minimized = minimized + rising * kl
            return loss, recon.mean(), sum(levels), minimized
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
        if self.gradient == "dreg":
            mean, log_variance = mean.detach(), log_variance.detach()
        sampled = sum(self.divergences(mean, log_variance, z, above))
        if self.levels:
            kl = sampled
        log_weights = (-recon - sampled).unflatten(0, (-1, self.samples))
        bound = torch.logsumexp(log_weights, dim=1) - math.log(self.samples)
        if self.gradient == "dreg":
            # Tucker et al. 2018, as their code has it: the weights are data, and what goes back into
            # the samples is weighted once more.
            weights = torch.softmax(log_weights, dim=1).detach()
            if z.requires_grad:
                z.register_hook(lambda gradient: gradient * weights.flatten()[:, None])
            surrogate = (weights * log_weights).sum(1)
            bound = bound.detach() + surrogate - surrogate.detach()
        return -bound.mean(), recon.mean(), kl.mean(), -bound.mean()


def trace(image, layers, seed):
    torch.manual_seed(seed)
    config = tomllib.loads(layers)
    model = VAE(image, config)
    batches = smooth_images(STEPS * BATCH, *image).reshape(STEPS, BATCH, -1)
    noise = torch.randn(STEPS, BATCH * model.samples, LATENT)
    classes = torch.randint(max(model.classes, 1), (STEPS, BATCH))
    above = [
        torch.randn(STEPS, BATCH * model.samples, level["latent"].out_features // 2)
        for level in model.levels
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    found = {"batches": batches, "noise": noise, **copies("initial", state(model))}
    if model.classes:
        found["classes"] = classes.to(torch.uint8)
    for i, noise_above in enumerate(above):
        found[f"above.{i}"] = noise_above
    history = []
    for step in range(STEPS):
        *losses, minimized = model.losses(
            batches[step].float() / 255,
            noise[step],
            classes[step],
            [noise[step] for noise in above],
            step,
        )
        optimizer.zero_grad()
        minimized.backward()
        if step == 0:
            found |= copies("gradient", ((n, p.grad) for n, p in model.named_parameters()))
        optimizer.step()
        history.append(torch.stack(losses).detach())
    found |= copies("final", state(model))
    for name, values in zip(("loss", "recon", "kl"), torch.stack(history, dim=1)):
        found[name] = values.clone()
    model.eval()
    with torch.no_grad():
        pixels, noises = batches[-1].float() / 255, [noise[-1] for noise in above]
        last = model.losses(pixels, noise[-1], classes[-1], noises)[:3]
    found["evaluation"] = torch.stack(last)
    return found


def main():
    torch.set_num_threads(1)
    for seed, (name, (image, layers)) in enumerate(TRACES.items()):
        config = {
            "image": image,
            "latent": LATENT,
            "layers": layers,
            "likelihood": "bernoulli",
            "kl_weight": 1.0,
            "learning_rate": LEARNING_RATE,
            "batch": BATCH,
            "steps": STEPS,
        }
        save(name, config, trace(image, layers, seed))


if __name__ == "__main__":
    main()
