"""Makes the JPEG files of this folder in every coding, and what libjpeg-turbo makes of them as PNG files.

Needs Python 3 with numpy and pillow, and libjpeg-turbo's cjpeg, djpeg and jpegtran. Files are named
SAMPLING-CODING.jpg; SAMPLING.png has the pixels of all codings of a sampling.
"""

import io
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SAMPLINGS = ["1x1", "2x1", "1x2", "2x2", "4x1", "2x2,2x1,1x2", "1x1,2x2,2x2"]
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"


def run(*command, data):
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def decoded(jpeg):
    return Image.open(io.BytesIO(run("djpeg", data=jpeg)))


def scans(text):
    path = HERE / "scans.txt"
    path.write_text(text)
    return ["-scans", str(path)]


y, x = np.mgrid[0:21, 0:19]
waves = [np.sin(x / 5 + y / 9), np.cos(y / 6), np.sin((x - y) / 7)]
rgb = (128 + 100 * np.stack(waves, -1)).astype("u1")
buffer = io.BytesIO()
Image.fromarray(rgb).save(buffer, "PPM")
picture = buffer.getvalue()

for sampling in SAMPLINGS:
    name = sampling.replace(",", "-")
    base = run("cjpeg", "-quality", "90", "-sample", sampling, data=picture)
    codings = {
        "base": base,
        "progressive": run("jpegtran", "-progressive", data=base),
        "restarts": run("jpegtran", "-restart", "1B", data=base),
        "scans": run("jpegtran", *scans("0;\n1;\n2;\n"), data=base),
    }
    if sampling == "2x2":
        codings["arithmetic"] = run("jpegtran", "-arithmetic", data=base)
        codings["pairs"] = run("jpegtran", *scans("0;\n1 2;\n"), data=base)
        # libjpeg goes by JFIF, where a decoder that goes by Adobe's marker takes YCbCr for RGB.
        end = 4 + int.from_bytes(base[4:6], "big")
        codings["adobe"] = base[:end] + ADOBE_RGB + base[end:]
    for coding, jpeg in codings.items():
        (HERE / f"{name}-{coding}.jpg").write_bytes(jpeg)
    decoded(base).save(HERE / f"{name}.png")

cmyk = io.BytesIO()
Image.fromarray(rgb).convert("CMYK").save(cmyk, "JPEG", quality=90)
for name, jpeg in {
    "cmyk": cmyk.getvalue(),
    "grey": run("cjpeg", "-quality", "90", "-grayscale", data=picture),
    "rgb": run("cjpeg", "-quality", "90", "-rgb", data=picture),
}.items():
    (HERE / f"{name}-base.jpg").write_bytes(jpeg)
    decoded(jpeg).save(HERE / f"{name}.png")
(HERE / "scans.txt").unlink()
