"""Speed of the input pipeline, compared with decoding alone and with Keras' own pipeline.

    python tests/benchmarks/input.py --rounds 5
    python tests/benchmarks/input.py --rounds 5 --images FOLDER   # on real photos, its *.jpg

It makes 2,000 JPEGs of about 375 x 500 pixels and 56 kB at quality 90; COCO's photos have 64 kB when they are cropped to
that size. All variants run in one process and take turns; a ratio is the median over the rounds of the ratio within a round.
The ratio of processor time is also printed, since other processes on the machine affect it less.

A training starts its input once, but here TensorFlow builds it for every run, which takes 10 ms (decoding alone) to 200 ms.
So the rates exclude the first element: its time, from a run that ends with it, is subtracted, and is the last column.

TensorFlow spreads single operations over all cores, which costs more than it gains if every core has its own image.
`--threads-per-operation 1` (the default here) is a good setting for a machine that feeds a GPU (TF_NUM_INTRAOP_THREADS=1).
"""

import argparse
import io
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

FIELDS = 60
BATCH = 32


def fields(random):
    """Large images with the spectrum of photos: noise at every scale, stronger at larger scales, mostly grey."""
    for _ in range(FIELDS):
        field = np.full((620, 620, 3), 120.0, np.float32)
        for level in range(2, 10):
            noise = random.normal(0, 1, (2**level, 2**level, 3))
            noise = 0.4 * noise + noise.mean(axis=-1, keepdims=True)
            for channel in range(3):
                layer = Image.fromarray(noise[..., channel].astype(np.float32)).resize((620, 620), Image.Resampling.BICUBIC)
                field[..., channel] += np.asarray(layer) * 130 / 2 ** (0.5 * level)
        yield field.clip(0, 255).astype(np.uint8)


def photos(random, count):
    """JPEG bytes: random crops of the fields, some mirrored, with permuted channels, in portrait and landscape format."""
    large = list(fields(random))
    for number in range(count):
        sides = (375, 500) if number % 4 else (500, 375)
        height, width = (side + random.integers(-20, 21) for side in sides)
        field = large[number % FIELDS]
        y, x = random.integers(0, 620 - height), random.integers(0, 620 - width)
        pixels = field[y : y + height, x : x + width, random.permutation(3)][:, :: random.choice([-1, 1])]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        yield file.getvalue()


def variants(folder: Path):
    """Name -> data set of single images or batches of 32."""
    import keras
    import tensorflow as tf

    from kerasvision import config as c
    from kerasvision.config import ColorJitter, RandomFlip, RandomResizedCrop
    from kerasvision.data.augmentation import make_augmentation
    from kerasvision.data.feeding.inputs import ReducingTransform
    from kerasvision.data.feeding.stream import prepare_one
    from kerasvision.data.transform import ImageTransform

    files = sorted(map(str, folder.rglob("*.jpg")))
    encoded = tf.data.Dataset.from_tensor_slices(tf.constant([Path(name).read_bytes() for name in files]))
    from_disk = tf.data.Dataset.from_tensor_slices(files).map(tf.io.read_file, num_parallel_calls=tf.data.AUTOTUNE)

    def transform(**settings):
        return ImageTransform(c.Transform(image_size=(224, 224), **settings), (0.0,) * 3, (1.0,) * 3)

    def ours(dataset, augment):
        reducing, augmenter = ReducingTransform(transform()), make_augmentation(augment)
        prepare = prepare_one(reducing, augmenter, seed=0, decoded=False, augmented=True)
        numbered = dataset.enumerate().map(lambda place, image: {"image": image, "place": place})
        return numbered.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)

    def mapped(function):
        return encoded.map(function, num_parallel_calls=tf.data.AUTOTUNE)

    def decode(image):
        return tf.io.decode_jpeg(image, channels=3)

    jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4)
    layers = keras.Sequential(
        [
            keras.layers.RandomZoom((-0.5, 0.0), (-0.5, 0.0)),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomBrightness(0.4),
            keras.layers.RandomContrast(0.4),
            keras.layers.RandomSaturation((0.3, 0.7)),
        ]
    )
    keras_input = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(224, 224), batch_size=BATCH, shuffle=False, verbose=False
    ).map(lambda images: layers(images, training=True), num_parallel_calls=tf.data.AUTOTUNE)
    augment = (RandomResizedCrop(), RandomFlip(), jitter)
    return {
        "decoding alone": mapped(decode),
        "decode + tf.image.resize, not antialiased": mapped(lambda image: tf.image.resize(decode(image), (224, 224))),
        "decode + tf.image.resize, antialiased": mapped(
            lambda image: tf.image.resize(decode(image), (224, 224), antialias=True)
        ),
        "evaluation: fit=crop": mapped(transform(fit="crop").pixels),
        "evaluation: fit=crop, crop_fraction=0.875": mapped(transform(fit="crop", crop_fraction=0.875).pixels),
        "training: crop": ours(encoded, augment[:1]),
        "training: crop, flip": ours(encoded, augment[:2]),
        "training: crop, flip, colour": ours(encoded, augment),
        "the same from files, in batches": ours(from_disk, augment).batch(BATCH),
        "Keras: from directory + random layers": keras_input,
    }


def compare(datasets, *, count: int, rounds: int, base: str) -> dict[str, tuple[float, float, float, float]]:
    """Name -> images per second, its ratio to the baseline, the ratio of processor time, milliseconds to the first."""

    def clocks(dataset):
        began = np.array([time.perf_counter(), time.process_time()])
        dataset.reduce(0, lambda number, _: number).numpy()
        return np.array([time.perf_counter(), time.process_time()]) - began

    def run(dataset, first):
        alone = clocks(first)
        return (clocks(dataset) - alone) / (count - images_of_element(dataset)), alone[0]

    firsts = {name: dataset.take(1) for name, dataset in datasets.items()}
    runs = {name: [] for name in datasets}
    for number in range(rounds + 1):
        for name, dataset in datasets.items():
            seconds, start = run(dataset, firsts[name])
            if number:  # the first round fills the caches
                runs[name].append((*seconds, start))
    rows = {}
    for name, values in runs.items():
        wall, processor, start = np.array(values).T
        base_wall, base_processor, _ = np.array(runs[base]).T
        ratios = np.median(base_wall / wall), np.median(base_processor / processor)
        rows[name] = (1 / np.median(wall), *ratios, 1e3 * np.median(start))
    return rows


def images_of_element(dataset) -> int:
    """Number of images in an element: 1, or the batch size."""
    spec = dataset.element_spec["image"] if isinstance(dataset.element_spec, dict) else dataset.element_spec
    return BATCH if spec.shape.rank == 4 else 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--threads-per-operation", type=int, default=1)
    options = parser.parse_args()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(options.threads_per_operation)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.images or Path(scratch)
        if options.images is None:
            for number, data in enumerate(photos(np.random.default_rng(0), options.count)):
                (folder / f"{number:04d}.jpg").write_bytes(data)
        sizes = [file.stat().st_size for file in folder.rglob("*.jpg")]
        print(f"{len(sizes)} images, {np.mean(sizes) / 1e3:.0f} kB on average")
        rows = compare(variants(folder), count=len(sizes), rounds=options.rounds, base="decoding alone")
    for name, (rate, ratio, processor, start) in rows.items():
        print(f"{name:45} {rate:7.0f} images/s  {ratio:5.2f}x  processor time {processor:5.2f}x  start {start:4.0f} ms")
    ours, theirs = rows["the same from files, in batches"], rows["Keras: from directory + random layers"]
    print(f"ours against Keras', from files: {ours[0] / theirs[0]:.1f}x, processor time {ours[2] / theirs[2]:.1f}x")


if __name__ == "__main__":
    main()
