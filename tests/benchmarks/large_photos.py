"""Photos of 12 megapixels: the time to decode one in each way that the transform has, and the difference.

    python tests/benchmarks/large_photos.py [--photos 4] [--rounds 5] [--side 224] [--working-side 448]

The photos are noise with the spectrum of photos, at 4000 x 3000 pixels and quality 88, with colour at half resolution. All
ways take turns; the results are medians of processor time for each image, and ratios to the first way. `copy` reads the
copy of the working size that training keeps; `first` writes that copy and reads it, as the first epoch does. The difference
is that of the pixels in [0, 255] that the network receives, over all photos.
"""

import argparse
import io
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.reduced_copies import bitmap
from kerasvision.data.transform import ImageTransform
from kerasvision.ops.working import open_working

WIDTH, HEIGHT = 4000, 3000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--working-side", type=int, default=448)
    arguments = parser.parse_args()
    files = [photo(np.random.default_rng(number)) for number in range(arguments.photos)]
    print(f"{np.mean([len(file) for file in files]) / 1e6:.1f} MB on average")
    ways = {}
    for fit in ("stretch", "crop"):
        plain, reduced = {"fit": fit}, {"fit": fit, "reduced_decoding": True}
        ways[f"fit={fit}"] = pixels(arguments.side, **plain)
        ways[f"fit={fit}, reduced_decoding"] = pixels(arguments.side, **reduced)
        kept = {**reduced, "working_side": arguments.working_side}
        write, read = copy_of(arguments.side, **kept), pixels(arguments.side, **kept)
        copies = {file: tf.constant(write(file)) for file in files}
        ways[f"fit={fit}, working size, first"] = lambda file, write=write, read=read: read(tf.constant(write(file)))
        ways[f"fit={fit}, working size, copy"] = lambda file, copies=copies, read=read: read(copies[file])
    times = {name: [] for name in ways}
    found = {name: np.stack([way(file) for file in files]) for name, way in ways.items()}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            began = time.process_time()
            for file in files:
                way(file)
            times[name].append(1000 * (time.process_time() - began) / len(files))
    first = np.median(times[next(iter(ways))])
    for name, taken in times.items():
        apart = np.abs(found[name] - found[name.split(",")[0]])
        print(
            f"{name:32} processor {np.median(taken):7.2f} ms for each image ({np.median(taken) / first:.3f}x); "
            f"pixels differ by {apart.mean():.2f} of 255 on average, by {apart.max():.1f} at most"
        )


def pixels(side: int, **settings):
    """A transform as one graph."""
    transform = ImageTransform(c.Transform(image_size=(side, side), **settings), (0.0,) * 3, (1.0,) * 3)
    return tf.function(transform.pixels, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def copy_of(side: int, **settings):
    """A function from a photo to the bytes of its copy."""
    opening = c.Transform(image_size=(side, side), **settings).opening

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def reduced(file):
        return open_working(file, **opening).whole

    return lambda file: bitmap(reduced(tf.constant(file)).numpy())


def photo(random: np.random.Generator) -> bytes:
    """A JPEG: noise at every scale, stronger at larger scales, mostly grey."""
    field = np.full((HEIGHT, WIDTH, 3), 120.0, np.float32)
    for level in range(2, 12):
        noise = random.normal(0, 1, (2**level, 2**level, 3))
        noise = 0.4 * noise + noise.mean(axis=-1, keepdims=True)
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype(np.float32))
            field[..., channel] += (
                np.asarray(layer.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)) * 130 / 2 ** (0.6 * level)
            )
    file = io.BytesIO()
    Image.fromarray(field.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=88, subsampling=2)
    return file.getvalue()


if __name__ == "__main__":
    main()
