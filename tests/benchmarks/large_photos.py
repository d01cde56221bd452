"""Photos of 12 megapixels: the time to decode one with and without `transform.reduced_decoding`, and the difference.

    python tests/benchmarks/large_photos.py [--photos 4] [--rounds 5] [--side 224]

The photos are noise with the spectrum of photos, at 4000 x 3000 pixels and quality 88, with colour at half resolution. All
ways take turns; the results are medians of processor time for each image, and ratios to the first way. The difference is
that of the pixels in [0, 255] that the network receives, over all photos.
"""

import argparse
import io
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform

WIDTH, HEIGHT = 4000, 3000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=224)
    arguments = parser.parse_args()
    files = [photo(np.random.default_rng(number)) for number in range(arguments.photos)]
    print(f"{np.mean([len(file) for file in files]) / 1e6:.1f} MB on average")
    ways = {
        f"fit={fit}{', reduced_decoding' if reduced else ''}": pixels(arguments.side, fit=fit, reduced_decoding=reduced)
        for fit in ("stretch", "crop")
        for reduced in (False, True)
    }
    times = {name: [] for name in ways}
    found = {name: np.stack([way(tf.constant(file)) for file in files]) for name, way in ways.items()}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            began = time.process_time()
            for file in files:
                way(tf.constant(file))
            times[name].append(1000 * (time.process_time() - began) / len(files))
    first = np.median(times[next(iter(ways))])
    for name, taken in times.items():
        print(f"{name:32} processor {np.median(taken):7.1f} ms for each image ({np.median(taken) / first:.2f}x)")
    for fit in ("stretch", "crop"):
        apart = np.abs(found[f"fit={fit}, reduced_decoding"] - found[f"fit={fit}"])
        print(f"fit={fit}: pixels differ by {apart.mean():.2f} of 255 on average, by {apart.max():.1f} at most")


def pixels(side: int, **settings):
    """A transform as one graph."""
    transform = ImageTransform(c.Transform(image_size=(side, side), **settings), (0.0,) * 3, (1.0,) * 3)
    return tf.function(transform.pixels, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


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
