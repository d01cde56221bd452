"""How many altered copies `kerasvision.data.measuring.near_duplicates` finds, and which different images it confuses.

    python tests/benchmarks/near_duplicates.py ../shared/data/flowers ../shared/data/coco-open ../shared/data/fashion-mnist

The sets are the photos of the first two folders together, Fashion-MNIST's test images, and scikit-learn's digits. Each set
is searched unchanged, and again with altered copies of every n-th image, about 200. A copy is found if it shares a group
with its original.
"""

import io
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits

from kerasvision.config.sources import Idx
from kerasvision.data.measuring.near_duplicates import (
    HASHED_SIDE,
    MOST_BITS,
    _alike_at_random,
    _Levels,
    fingerprints,
    near_duplicate_groups,
)
from kerasvision.data.png import encode_png
from kerasvision.data.sources.idx import read_idx
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image

COPIES = 200


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, width: float, height: float) -> bytes:
    return jpeg(image.resize((max(1, round(width)), max(1, round(height)))))


def trimmed(image: Image.Image, share: float) -> bytes:
    x, y = round(image.width * share), round(image.height * share)
    return jpeg(image.crop((x, y, image.width - x, image.height - y)))


CHANGES = {
    "JPEG 95": lambda image: jpeg(image, 95),
    "JPEG 75": lambda image: jpeg(image, 75),
    "JPEG 50": lambda image: jpeg(image, 50),
    "JPEG 30": lambda image: jpeg(image, 30),
    "PNG": lambda image: encode_png(np.asarray(image)),
    "half the size": lambda image: resized(image, image.width / 2, image.height / 2),
    "quarter": lambda image: resized(image, image.width / 4, image.height / 4),
    "double": lambda image: resized(image, image.width * 2, image.height * 2),
    "224 x 224": lambda image: resized(image, 224, 224),
    "1 % trimmed": lambda image: trimmed(image, 0.01),
    "2 % trimmed": lambda image: trimmed(image, 0.02),
    "3 % trimmed": lambda image: trimmed(image, 0.03),
    "5 % trimmed": lambda image: trimmed(image, 0.05),
    "brightness 0.8": lambda image: jpeg(ImageEnhance.Brightness(image).enhance(0.8)),
    "brightness 1.3": lambda image: jpeg(ImageEnhance.Brightness(image).enhance(1.3)),
    "contrast 0.8": lambda image: jpeg(ImageEnhance.Contrast(image).enhance(0.8)),
    "contrast 1.2": lambda image: jpeg(ImageEnhance.Contrast(image).enhance(1.2)),
    "colour 1.5": lambda image: jpeg(ImageEnhance.Color(image).enhance(1.5)),
    "grey": lambda image: jpeg(image.convert("L")),
    "mirrored": lambda image: jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def look(data: tf.Tensor) -> tf.Tensor:
    pixels = resize_image(decode_image(data, color_mode="rgb"), image_size=(HASHED_SIDE, HASHED_SIDE), fit="stretch")
    return tf.cast(tf.round(pixels), tf.uint8)


def stretched(files: list[bytes]) -> np.ndarray:
    return np.stack([look(data).numpy() for data in files])


def rgb(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.info.clear()
    return image


def measure(name: str, files: list[bytes]) -> None:
    own = stretched(files)
    began = time.process_time()
    hashes, thumbnails = fingerprints(own)
    hashing = 1e6 * (time.process_time() - began) / len(own)
    began = time.process_time()
    clean = near_duplicate_groups(hashes, thumbnails, contents=np.arange(len(own)))
    searching = 1e6 * (time.process_time() - began) / len(own)
    groups = [np.flatnonzero(clean == number).tolist() for number in range(clean.max() + 1)]
    print(f"{name}: {len(own)} images; {hashing:.0f} us to hash one, {searching:.0f} us to compare it; groups: {groups}")
    near = sum(int((np.bitwise_count(hashes[n] ^ hashes[n + 1 :]) <= MOST_BITS).sum()) for n in range(len(hashes)))
    alike = _alike_at_random(hashes, _Levels(thumbnails), np.arange(len(hashes)))
    print(f"    {near} pairs of hashes within {MOST_BITS} bits; {alike:.2%} of random pairs correlate, their hashes apart")
    step = max(1, len(files) // COPIES)
    originals = [rgb(data) for data in files[::step]]
    for change, alter in CHANGES.items():
        more_hashes, more_thumbnails = fingerprints(stretched([alter(image) for image in originals]))
        found = near_duplicate_groups(
            np.concatenate([hashes, more_hashes]),
            np.concatenate([thumbnails, more_thumbnails]),
            contents=np.arange(len(own) + len(originals)),
        )
        before, after = found[: len(own) : step], found[len(own) :]
        share = np.mean((after >= 0) & (before == after))
        print(f"    {change:16s} {share:6.1%} of {len(originals)}", flush=True)


def main() -> None:
    flowers, coco, fashion = (Path(name) for name in sys.argv[1:4])
    photos = [file.read_bytes() for folder in (flowers, coco) for file in sorted(folder.rglob("*.jpg"))]
    measure("photos", photos)
    measure("Fashion-MNIST", [record.load() for record in read_idx(Idx(path=str(fashion))) if record.split == "test"])
    measure("digits", [encode_png((image * 255 / 16).round().astype(np.uint8)) for image in load_digits().images])


if __name__ == "__main__":
    main()
