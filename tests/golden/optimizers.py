"""Write the golden values of optimizers, schedules and clipping, from torch.optim.

Run `python tests/golden/optimizers.py`; optimizers.safetensors is written beside this script.
README.md describes what it holds.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.optim import lr_scheduler

HERE = Path(__file__).parent
STEPS = 20
PARAMETERS = 13

CLASSES = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}

# As vae-gpu's configuration has them; an empty rule is all defaults, on either side.
RULES = [
    (0.01, {"name": "sgd"}),
    (0.1, {"name": "sgd", "weight_decay": 2.0}),
    (0.01, {"name": "sgd", "momentum": 0.9}),
    (0.1, {"name": "sgd", "momentum": 0.9, "weight_decay": 2.0}),
    (0.1, {"name": "sgd", "momentum": 0.8, "nesterov": True, "weight_decay": 2.0}),
    (0.01, {"name": "rmsprop"}),
    (0.01, {"name": "rmsprop", "alpha": 0.9, "epsilon": 1e-4, "weight_decay": 2.0}),
    (0.01, {"name": "rmsprop", "momentum": 0.9, "weight_decay": 2.0}),
    (0.01, {"name": "adagrad"}),
    (
        0.01,
        {
            "name": "adagrad",
            "lr_decay": 0.1,
            "initial_accumulator_value": 1e-6,
            "epsilon": 1e-6,
            "weight_decay": 2.0,
        },
    ),
    (0.001, {"name": "adam"}),
    (0.01, {"name": "adam", "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-5, "weight_decay": 2.0}),
    (0.001, {"name": "adamw"}),
    (0.01, {"name": "adamw", "beta1": 0.8, "weight_decay": 5.0}),
]

# Epochs, steps per epoch, and the keys of [train].
SCHEDULES = [
    (3, 7, {"learning_rate": 0.1}),
    (3, 7, {"learning_rate": 0.1, "warmup_epochs": 1.0, "warmup_start": 0.25}),
    (5, 11, {"learning_rate": 3e-3, "schedule": {"name": "cosine"}}),
    (5, 11, {"learning_rate": 3e-3, "schedule": {"name": "cosine", "minimum": 1e-4}}),
    (
        5,
        11,
        {
            "learning_rate": 3e-3,
            "warmup_epochs": 2.0,
            "warmup_start": 0.01,
            "schedule": {"name": "cosine"},
        },
    ),
    (9, 5, {"learning_rate": 0.5, "schedule": {"name": "step", "every": 3, "factor": 0.2}}),
    (9, 5, {"learning_rate": 0.5, "schedule": {"name": "step", "every": 2}}),
    (40, 2, {"learning_rate": 0.5, "schedule": {"name": "exponential", "factor": 0.83}}),
    (
        9,
        5,
        {
            "learning_rate": 0.5,
            "warmup_epochs": 1.4,
            "warmup_start": 0.1,
            "schedule": {"name": "exponential", "factor": 0.9},
        },
    ),
]

CLIPS = [0.5, 3.0, 1e9]


def arguments(rule):
    """The keyword arguments of PyTorch's class."""
    given = {key: value for key, value in rule.items() if key != "name"}
    if "epsilon" in given:
        given["eps"] = given.pop("epsilon")
    if "beta1" in given:
        given["betas"] = (given.pop("beta1"), given.pop("beta2", 0.999))
    return given


def steps(learning_rate, rule, initial, gradients):
    """The parameters after every step, in float64."""
    parameter = torch.nn.Parameter(initial.double())
    optimizer = CLASSES[rule["name"]](
        [parameter], lr=learning_rate, foreach=False, **arguments(rule)
    )
    history = []
    for gradient in gradients:
        parameter.grad = gradient.double()
        optimizer.step()
        history.append(parameter.detach().clone())
    return torch.stack(history)


def rates(epochs, steps_per_epoch, train):
    """The learning rate of every step."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=train["learning_rate"])
    schedule = dict(train.get("schedule", {"name": "constant"}))
    by_step, by_epoch = [], []
    match schedule["name"]:
        case "cosine":
            total, minimum = epochs * steps_per_epoch, schedule.get("minimum", 0.0)
            by_step.append(lr_scheduler.CosineAnnealingLR(optimizer, total, minimum))
        case "step":
            factor = schedule.get("factor", 0.1)
            by_epoch.append(lr_scheduler.StepLR(optimizer, schedule["every"], factor))
        case "exponential":
            by_epoch.append(lr_scheduler.ExponentialLR(optimizer, schedule["factor"]))
    if "warmup_epochs" in train:
        warmup = round(train["warmup_epochs"] * steps_per_epoch)
        by_step.append(lr_scheduler.LinearLR(optimizer, train["warmup_start"], 1.0, warmup))
    history = []
    for _ in range(epochs):
        for _ in range(steps_per_epoch):
            history.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            for scheduler in by_step:
                scheduler.step()
        for scheduler in by_epoch:
            scheduler.step()
    return torch.tensor(history, dtype=torch.float64)


def clipped(gradient, max_norm):
    """The norm and the gradients after clipping, in float32 and of two parameters."""
    parameters = [torch.nn.Parameter(torch.zeros_like(part)) for part in gradient.split(7)]
    for parameter, part in zip(parameters, gradient.split(7)):
        parameter.grad = part.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm, foreach=False)
    return norm.reshape(1), torch.cat([parameter.grad for parameter in parameters])


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    # Small, so that their own rounding in float32 does not hide that of the updates.
    initial = 1e-4 * (1 + torch.rand(PARAMETERS))
    gradients = 1e-3 * torch.randn(STEPS, PARAMETERS) * torch.rand(STEPS, PARAMETERS) ** 2
    tensors = {"initial": initial, "gradients": gradients}
    for i, (learning_rate, rule) in enumerate(RULES):
        tensors[f"rule.{i}"] = steps(learning_rate, rule, initial, gradients)
    for i, schedule in enumerate(SCHEDULES):
        tensors[f"schedule.{i}"] = rates(*schedule)
    clips = torch.randn(3, PARAMETERS)
    clips[1, 9] = torch.inf
    clips[2, 3] = torch.nan
    tensors["clips"] = clips
    for i, max_norm in enumerate(CLIPS):
        for row, gradient in enumerate(clips):
            norm, after = clipped(gradient, max_norm)
            tensors |= {f"clip.{i}.{row}.norm": norm, f"clip.{i}.{row}.gradient": after}
    config = {"rules": RULES, "schedules": SCHEDULES, "clips": CLIPS}
    metadata = {"config": json.dumps(config)}
    save_file(tensors, HERE / "optimizers.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
