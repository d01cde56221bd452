"""The speed of each augmentation in tf.data, and of Keras' layer of the same name if there is one.

    python tests/benchmarks/augmentation.py --rounds 5
    python tests/benchmarks/augmentation.py --rounds 11 --only RandAugment AugMix
    python tests/benchmarks/augmentation.py --side 96 --objects masks --only Rotate ScaleJitter Mosaic

Every pipeline yields batches of 32 float32 images of 224 x 224. Ours augments each image in a parallel map and then makes
the batch, as `kerasvision.data.feeding.batches` does; Keras' layers get batches, as is usual. All take turns, one pass each
in every round, so that a disturbance affects all; the results are medians over the rounds. They are images per second on the
clock, and per second of processor time, which other processes on the machine affect less. Without augmentation, the work is
only to copy images and make batches. RandomResizedCrop and IouCrop decode JPEG files of 1.5 times the side.

With `--objects boxes`, each image has 10 objects; with `--objects masks`, these have masks. Keras' layers get none.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as a
from kerasvision.data.augmentation import make_augmentation
from kerasvision.ops.random import uniform_rows

BATCH, CLASSES, OBJECTS = 32, 10, 10
OURS = [
    a.PadCrop(), a.RandomFlip(), a.Rotate(), a.Translate(), a.Zoom(), a.ColorJitter(), a.ColorJitter(hue=0.1),
    a.Lighting(), a.Grayscale(), a.GaussianBlur(), a.RandomErasing(), a.Cutout(size=112), a.RandAugment(), a.AugMix(),
    a.MixUp(), a.CutMix(), a.ScaleJitter(), a.Mosaic(), a.RandomResizedCrop(), a.IouCrop(),
]  # fmt: skip
RANGE = {"value_range": (0, 255)}
# The same strength as in ours, as far as Keras allows: a factor of 0.9 for magnitude 9 of 10.
THEIRS: dict[str, Callable[[], keras.layers.Layer]] = {
    "RandomFlip": lambda: keras.layers.RandomFlip("horizontal"),
    "Rotate": lambda: keras.layers.RandomRotation(15 / 360, fill_mode="constant"),
    "Translate": lambda: keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
    "Zoom": lambda: keras.layers.RandomZoom((-0.2, 0.25), fill_mode="constant"),
    "Grayscale": lambda: keras.layers.RandomGrayscale(0.2),
    "GaussianBlur": lambda: keras.layers.RandomGaussianBlur(factor=0.5, kernel_size=13, sigma=1.0, **RANGE),
    "RandomErasing": lambda: keras.layers.RandomErasing(factor=0.5, scale=(0.02, 0.4), **RANGE),
    "RandAugment": lambda: keras.layers.RandAugment(num_ops=2, factor=0.9, **RANGE),
    "AugMix": lambda: keras.layers.AugMix(**RANGE),
    "MixUp": lambda: keras.layers.MixUp(),
    "CutMix": lambda: keras.layers.CutMix(),
}
SLOW = {"RandAugment", "AugMix"}  # fewer batches for Keras' layers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--side", type=int, default=224, help="height and width of the images")
    parser.add_argument("--objects", choices=("boxes", "masks"), default=None, help="what each image has")
    parser.add_argument("--only", nargs="+", default=None, help="names of augmentations")
    arguments = parser.parse_args()
    random, side = np.random.default_rng(0), arguments.side
    images = tf.constant(random.uniform(0, 255, (2 * BATCH, side, side, 3)), tf.float32)
    objects = random_objects(side, arguments.objects)
    pipelines = {("", "none"): (ours(images, objects, None, arguments.batches), arguments.batches)}
    for settings in OURS:
        name = type(settings).__name__
        refused = arguments.objects and settings.blends
        if not refused and (arguments.only is None or name in arguments.only):
            label = f"{name} {settings}" if settings.model_fields_set else name
            pipelines[label, "ours"] = (ours(images, objects, settings, arguments.batches), arguments.batches)
            if name in THEIRS and label == name:
                batches = 2 if name in SLOW else arguments.batches
                pipelines[name, "Keras"] = (theirs(images, THEIRS[name](), batches), batches)
    report(measured(pipelines, rounds=arguments.rounds), side=side)


def random_objects(side: int, parts: str | None) -> dict[str, tf.Tensor]:
    """10 objects, the same for all images; without `parts`, none."""
    if parts is None:
        return {}
    corners = np.sort(np.random.default_rng(0).uniform(0, 1, (OBJECTS, 2, 2)), axis=1).reshape(OBJECTS, 4)
    masks = np.zeros((OBJECTS, side, side), np.uint8)
    for mask, (top, left, bottom, right) in zip(masks, (corners * side).astype(int), strict=True):
        mask[top:bottom, left:right] = 1
    objects = {"bbox": tf.constant(corners, tf.float32), "label": tf.range(OBJECTS, dtype=tf.int64)}
    return objects | ({"mask": tf.constant(masks)} if parts == "masks" else {})


def ours(images: tf.Tensor, objects: dict, settings: a.Augmentation | None, batches: int) -> tf.data.Dataset:
    """Augments single images in parallel, then makes batches; augmentations that mix images get the batch."""
    augmenter = make_augmentation([] if settings is None else [settings])
    side = images.shape[1]
    transform = a.Transform(image_size=(side, side))
    crops = augmenter.replaces_resize is not None
    large = tf.cast(tf.image.resize(images, [side * 3 // 2] * 2), tf.uint8)
    files = tf.stack([tf.io.encode_jpeg(image) for image in large]) if crops else tf.zeros(())
    encoded = (
        {**objects, "mask": tf.stack([tf.io.encode_png(mask[..., None]) for mask in objects["mask"]])}
        if (crops and "mask" in objects)
        else objects
    )

    def alone(number: tf.Tensor) -> dict:
        numbers = uniform_rows(0, number, rows=1, columns=max(augmenter.draws, 1))
        if crops:
            example = {"image": files[number % len(images)], **({"objects": encoded} if objects else {})}
            changed = augmenter.cropped(example, numbers[0], transform)
        else:
            batch = {"image": images[number % len(images)], **({"objects": objects} if objects else {})}
            batch = tf.nest.map_structure(lambda part: part[tf.newaxis], batch)
            changed = tf.nest.map_structure(lambda part: part[0], augmenter(batch, numbers))
        return {**changed, "label": number % CLASSES, "numbers": numbers[0]}

    def together(batch: dict) -> dict:
        return augmenter.mix(batch, batch["numbers"], CLASSES)

    data = tf.data.Dataset.range(batches * BATCH).map(alone, num_parallel_calls=tf.data.AUTOTUNE)
    data = data.batch(BATCH, drop_remainder=True)
    return data.map(together, num_parallel_calls=tf.data.AUTOTUNE) if augmenter.mixing else data


def theirs(images: tf.Tensor, layer: keras.layers.Layer, batches: int) -> tf.data.Dataset:
    """The same images in batches, through a Keras layer."""
    mixes = isinstance(layer, keras.layers.MixUp | keras.layers.CutMix)
    data = tf.data.Dataset.range(batches * BATCH)
    data = data.map(lambda number: (images[number % len(images)], tf.one_hot(number % CLASSES, CLASSES)))

    def augmented(images: tf.Tensor, labels: tf.Tensor) -> object:
        return layer({"images": images, "labels": labels}, training=True) if mixes else layer(images, training=True)

    return data.batch(BATCH, drop_remainder=True).map(augmented, num_parallel_calls=tf.data.AUTOTUNE)


def measured(pipelines: dict, *, rounds: int) -> dict[tuple[str, str], tuple[float, float]]:
    """(augmentation, library) -> images per second on the clock and of processor time, medians."""
    rates: dict[tuple[str, str], list] = {key: [] for key in pipelines}
    for number in range(rounds + 1):
        for key, (data, batches) in pipelines.items():
            clock, work = time.perf_counter(), time.process_time()
            for _ in data:
                pass
            if number > 0:  # the first pass builds the graph
                took = time.perf_counter() - clock, time.process_time() - work
                rates[key].append([batches * BATCH / seconds for seconds in took])
    return {key: tuple(np.median(values, axis=0)) for key, values in rates.items()}


def report(rates: dict[tuple[str, str], tuple[float, float]], *, side: int) -> None:
    """Prints a line per augmentation."""
    print(f"images/s, batches of {BATCH}, {side} x {side}: on the clock (per second of work)")
    for (name, whose), (clock, work) in rates.items():
        if whose == "Keras":
            continue
        line = f"  {name or 'no augmentation':60} {clock:7,.0f} ({work:6,.0f})"
        if (name, "Keras") in rates:
            their_clock, their_work = rates[name, "Keras"]
            line += f"   Keras {their_clock:7,.0f} ({their_work:6,.0f})"
            line += f"   {clock / their_clock:5.1f}x ({work / their_work:.1f}x)"
        print(line, flush=True)


if __name__ == "__main__":
    main()
