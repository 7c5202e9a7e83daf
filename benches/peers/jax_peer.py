"""The JAX peer: `python jax_peer.py VARIANT DATA`, where DATA holds an unpacked IDX file.

Prints a line of JSON when it is ready; then trains as many epochs as each line of its input says,
and answers with their seconds and mean losses. An epoch is one call of one compiled function.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

# JAX would take three quarters of a GPU's memory from the peers that are alive beside it.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def say(**fields):
    print(json.dumps(fields), flush=True)


try:
    import jax
    import jax.numpy as jnp
    import numpy as np
except ImportError as error:
    say(skip=f"no JAX ({error})", also="jax")
    sys.exit()

BATCH = 128
LEARNING_RATE = 1e-3
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def linear(key, inputs, outputs):
    """PyTorch's initialisation, which all peers use."""
    bound = inputs**-0.5
    w, b = jax.random.split(key)
    return (
        jax.random.uniform(w, (inputs, outputs), minval=-bound, maxval=bound),
        jax.random.uniform(b, (outputs,), minval=-bound, maxval=bound),
    )


def initial(key):
    sizes = [(784, 400), (400, 2 * 20), (20, 400), (400, 784)]
    return [linear(k, *size) for k, size in zip(jax.random.split(key, len(sizes)), sizes)]


def loss_of(parameters, x, key):
    """Nats per image."""
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = parameters
    mean, log_variance = jnp.split(jax.nn.relu(x @ w1 + b1) @ w2 + b2, 2, axis=1)
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
    logits = jax.nn.relu(z @ w3 + b3) @ w4 + b4
    recon = jnp.sum(jax.nn.softplus(logits) - x * logits)
    kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1)
    return (recon + kl) / len(x)


def adam(parameters, moments, gradients, count):
    correction_1, correction_2 = 1 - BETA_1**count, 1 - BETA_2**count

    def update(p, m, v, g):
        m = BETA_1 * m + (1 - BETA_1) * g
        v = BETA_2 * v + (1 - BETA_2) * g**2
        step = m / correction_1 / (jnp.sqrt(v / correction_2) + EPSILON)
        return p - LEARNING_RATE * step, m, v

    updated = jax.tree.map(update, parameters, *moments, gradients)
    pick = lambda i: jax.tree.map(lambda _, triple: triple[i], parameters, updated)
    return pick(0), (pick(1), pick(2))


@partial(jax.jit, donate_argnums=0)
def epoch(state, images):
    parameters, moments, count, key = state
    key, shuffle, noise = jax.random.split(key, 3)
    order = jax.random.permutation(shuffle, len(images)).reshape(-1, BATCH)

    def step(carry, batch):
        parameters, moments, count = carry
        indices, key = batch
        loss, gradients = jax.value_and_grad(loss_of)(parameters, images[indices], key)
        count = count + 1
        parameters, moments = adam(parameters, moments, gradients, count)
        return (parameters, moments, count), loss

    batches = (order, jax.random.split(noise, len(order)))
    carry, losses = jax.lax.scan(step, (parameters, moments, count), batches)
    return (*carry, key), losses.mean()


def main():
    _, folder = sys.argv[1:]
    jax.config.update("jax_default_matmul_precision", "highest")
    data = np.fromfile(Path(folder) / "train-images-idx3-ubyte", np.uint8, offset=16)
    images = jnp.asarray(data.reshape(-1, 784)).astype(jnp.float32) / 255
    key, seed = jax.random.split(jax.random.key(0))
    parameters = initial(seed)
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, (zeros(), zeros()), jnp.zeros(()), key)
    begun = time.perf_counter()
    compiled = epoch.lower(state, images).compile()
    warm_up = time.perf_counter() - begun
    device = jax.devices()[0]
    say(
        device={"gpu": "cuda"}.get(device.platform, device.platform),
        hardware="CPU" if device.platform == "cpu" else device.device_kind,
        version=f"JAX {jax.__version__}",
        warm_up=warm_up,
        warm_up_of="compiling an epoch",
    )
    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(int(line)):
            begun = time.perf_counter()
            state, loss = compiled(state, images)
            losses.append(float(loss))
            seconds.append(time.perf_counter() - begun)
        say(seconds=seconds, losses=losses)


if __name__ == "__main__":
    main()
