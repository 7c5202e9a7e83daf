"""The images that every peer trains on: whole batches, in one unpacked IDX file."""

import gzip
import random
from pathlib import Path

PIXELS = 28 * 28
NAME = "train-images-idx3-ubyte"
# As many as MNIST has.
IMAGES = 60_000


def prepare(source, folder, batch, steps):
    """Writes the file into `folder`; what it holds, in words, and its number of images.

    All batches are full, so that nobody needs a second graph for a smaller one.
    """
    what, pixels = read(source) if source else ("made-up blobs, for want of MNIST", blobs())
    whole = len(pixels) // PIXELS // batch
    steps = min(steps or whole, whole)
    images = steps * batch
    header = b"".join(n.to_bytes(4, "big") for n in (0x0803, images, 28, 28))
    (Path(folder) / NAME).write_bytes(header + pixels[: images * PIXELS])
    return what, images


def read(folder):
    plain, packed = Path(folder) / NAME, Path(folder) / f"{NAME}.gz"
    if plain.exists():
        data = plain.read_bytes()
    elif packed.exists():
        data = gzip.decompress(packed.read_bytes())
    else:
        raise SystemExit(f"{folder} holds neither {NAME} nor {NAME}.gz")
    if data[:4] != b"\0\0\x08\3" or data[8:16] != b"\0\0\0\x1c\0\0\0\x1c":
        raise SystemExit(f"{folder}: {NAME} holds no images of 28x28 bytes")
    return f"images of {folder}", data[16:]


def blobs():
    """Pixels with something to learn: a few hundred images of three discs, each shifted around."""
    generator = random.Random(0)
    kinds = []
    for _ in range(200):
        discs = [[generator.uniform(4, 23) for _ in range(2)] for _ in range(3)]
        near = lambda x, y: min((x - a) ** 2 + (y - b) ** 2 for a, b in discs)
        image = bytes(max(0, 255 - int(12 * near(x, y))) for y in range(28) for x in range(28))
        kinds.append(image + image)
    images = []
    for _ in range(IMAGES):
        first = 28 * generator.randrange(28)
        images.append(generator.choice(kinds)[first : first + PIXELS])
    return b"".join(images)
