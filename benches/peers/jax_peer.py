"""The JAX peer: `python jax_peer.py VARIANT MODEL DATA`, where MODEL is `mlp` or `conv` and DATA
holds an unpacked IDX file.

Prints a line of JSON when it is ready; then trains as many epochs as each line of its input says,
and answers with their seconds and mean losses. An epoch is one call of one compiled function, but
for `conv` on CPUs.
"""

import json
import os
import sys
import time
from functools import partial
from math import prod
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


def linear(layer, x):
    w, b = layer
    return x @ w + b


def conv(layer, x, padding=((1, 1), (1, 1)), **strides):
    """Maps are (batch, row, column, channel), which suits CPUs and GPUs alike."""
    w, b = layer
    layout = ("NHWC", "HWIO", "NHWC")
    strides = {"window_strides": (1, 1), **strides}
    y = jax.lax.conv_general_dilated(x, w, padding=padding, dimension_numbers=layout, **strides)
    return y + b


def down(layer, x):
    return conv(layer, x, window_strides=(2, 2))


def up(layer, x):
    """Transposed, with padding 1 and output padding 1."""
    return conv(layer, x, padding=((1, 2), (1, 2)), lhs_dilation=(2, 2))


def encode_mlp(layers, x):
    return jax.nn.relu(linear(layers[0], x))


def decode_mlp(layers, z):
    return linear(layers[1], jax.nn.relu(linear(layers[0], z)))


def encode_conv(layers, x):
    x = jax.nn.relu(down(layers[0], x.reshape(-1, 28, 28, 1)))
    return jax.nn.relu(down(layers[1], x)).reshape(len(x), -1)


def decode_conv(layers, z):
    x = jax.nn.relu(linear(layers[1], jax.nn.relu(linear(layers[0], z)))).reshape(-1, 7, 7, 64)
    return up(layers[3], jax.nn.relu(up(layers[2], x))).reshape(len(z), -1)


# For each model encoder and decoder, and shapes of the weights of the encoder, of the latent
# variables and of the decoder.
MODELS = {
    "mlp": (encode_mlp, decode_mlp, [(784, 400)], (400, 2 * 20), [(20, 400), (400, 784)]),
    "conv": (
        encode_conv,
        decode_conv,
        [(3, 3, 1, 32), (3, 3, 32, 64)],
        (7 * 7 * 64, 2 * 20),
        [(20, 256), (256, 7 * 7 * 64), (3, 3, 64, 32), (3, 3, 32, 1)],
    ),
}


def layer(key, shape, fan):
    bound = fan**-0.5
    w, b = jax.random.split(key)
    return (
        jax.random.uniform(w, shape, minval=-bound, maxval=bound),
        jax.random.uniform(b, shape[-1:], minval=-bound, maxval=bound),
    )


def initial(key, model):
    """PyTorch's initialisation, which all peers use."""
    *_, encoder, latent, decoder = MODELS[model]
    # PyTorch takes the outputs of a transposed convolution, of which the decoder's are, for inputs.
    transposed = [len(shape) == 4 for shape in decoder]
    transposed = [False] * (len(encoder) + 1) + transposed
    shapes = [*encoder, latent, *decoder]
    fans = [prod(s[:-2]) * s[-1 if t else -2] for s, t in zip(shapes, transposed)]
    layers = [layer(*of) for of in zip(jax.random.split(key, len(shapes)), shapes, fans)]
    first = len(encoder)
    return layers[:first], layers[first], layers[first + 1 :]


def loss_of(parameters, x, key, model):
    """Nats per image."""
    encode, decode, *_ = MODELS[model]
    encoder, latent, decoder = parameters
    mean, log_variance = jnp.split(linear(latent, encode(encoder, x)), 2, axis=1)
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
    logits = decode(decoder, z)
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


def step(carry, batch, images, model):
    parameters, moments, count = carry
    indices, key = batch
    loss, gradients = jax.value_and_grad(loss_of)(parameters, images[indices], key, model)
    count = count + 1
    parameters, moments = adam(parameters, moments, gradients, count)
    return (parameters, moments, count), loss


@jax.jit
def shuffled(key, images):
    """The next key; of each batch its indices and a key of its own."""
    key, shuffle, noise = jax.random.split(key, 3)
    order = jax.random.permutation(shuffle, len(images)).reshape(-1, BATCH)
    return key, (order, jax.random.split(noise, len(order)))


@partial(jax.jit, donate_argnums=0, static_argnums=2)
def scan_epoch(state, images, model):
    carry, key = state
    key, batches = shuffled(key, images)
    carry, losses = jax.lax.scan(lambda *of: step(*of, images, model), carry, batches)
    return (carry, key), losses.mean()


class StepByStep:
    """An epoch that calls one compiled step, for CPUs: there XLA compiles convolutions within a loop
    to code that takes several times as long."""

    def __init__(self, state, images, model):
        compiled = jax.jit(step, donate_argnums=0, static_argnums=3)
        _, (order, keys) = shuffled(state[1], images)
        self.step = compiled.lower(state[0], (order[0], keys[0]), images, model).compile()

    def __call__(self, state, images):
        carry, key = state
        key, batches = shuffled(key, images)
        losses = []
        for batch in zip(*batches):
            carry, loss = self.step(carry, batch, images)
            losses.append(loss)
        return (carry, key), jnp.stack(losses).mean()


def main():
    _, model, folder = sys.argv[1:]
    jax.config.update("jax_default_matmul_precision", "highest")
    data = np.fromfile(Path(folder) / "train-images-idx3-ubyte", np.uint8, offset=16)
    images = jnp.asarray(data.reshape(-1, 784)).astype(jnp.float32) / 255
    key, seed = jax.random.split(jax.random.key(0))
    parameters = initial(seed, model)
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    state = ((parameters, (zeros(), zeros()), jnp.zeros(())), key)
    device = jax.devices()[0]
    one_by_one = model == "conv" and device.platform == "cpu"
    begun = time.perf_counter()
    if one_by_one:
        epoch = StepByStep(state, images, model)
    else:
        epoch = scan_epoch.lower(state, images, model).compile()
    warm_up = time.perf_counter() - begun
    say(
        device={"gpu": "cuda"}.get(device.platform, device.platform),
        hardware="CPU" if device.platform == "cpu" else device.device_kind,
        version=f"JAX {jax.__version__}",
        warm_up=warm_up,
        warm_up_of="compiling a step" if one_by_one else "compiling an epoch",
    )
    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(int(line)):
            begun = time.perf_counter()
            state, loss = epoch(state, images)
            losses.append(float(loss))
            seconds.append(time.perf_counter() - begun)
        say(seconds=seconds, losses=losses)


if __name__ == "__main__":
    main()
