from safetensors.torch import load_file
from torch import nn, randn

vae = nn.ModuleDict({  # the preset mlp; activations count as layers
    "encoder": nn.Sequential(nn.Linear(784, 400), nn.ReLU()),
    "latent": nn.Linear(400, 2 * 20),  # the mean, then the log-variance
    "decoder": nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784)),
})
vae.load_state_dict(load_file("model.safetensors"))
images = vae["decoder"](randn(64, 20)).sigmoid().reshape(-1, 28, 28)
