"""Compares `training.features="once"` with Keras' `model.predict`: images per second from encoded photos to feature maps.

    python tests/benchmarks/features_once.py FOLDER_OF_CLASS_FOLDERS
    python tests/benchmarks/features_once.py FOLDER_OF_CLASS_FOLDERS --network resnet18 --side 160 --rounds 9

Both sides run the same frozen network with the same random weights on the same photos, decoded and resized by the same
transform: theirs in batches from tf.data with prefetch, as keras.applications' examples do. They run in one process and take
turns, so that a disturbance affects both, and each builds its function anew in each round, as a training does. Printed are
medians over the rounds, on the clock and of processor time; other processes on the machine affect the second less. Ours is
also measured in bfloat16, with the largest difference of its maps as a share of the largest value.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.models import build
from kerasvision.training.devices.precision import building_in
from kerasvision.training.transfer import FeatureMaps

Maps = Callable[[], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    # Each round builds its functions anew on purpose.
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        examples = prepared(arguments.folder, Path(folder) / "data", images=arguments.images)
        contenders = contenders_for(arguments.network, examples, side=arguments.side, batch=arguments.batch)
        report(contenders, images=examples.count(TRAIN), rounds=arguments.rounds)


def prepared(photos: Path, folder: Path, *, images: int) -> ExampleSet:
    """The first photos of each class in turn, as a data set with a train split."""
    classes = sorted(path.name for path in photos.iterdir() if path.is_dir())
    in_turn = sorted(
        (number, name, path) for name in classes for number, path in enumerate(sorted((photos / name).iterdir()))
    )
    rows = [(f"{name}/{path.name}", path.read_bytes(), name) for _, name, path in in_turn[:images]]
    write_examples(lambda split: rows, splits=[TRAIN], classes=classes, folder=folder)
    return ExampleSet(folder)


def contenders_for(name: str, examples: ExampleSet, *, side: int, batch: int) -> dict[str, Maps]:
    """Label -> a function that computes the maps of all images, float32 (N, H, W, C). The first is Keras' way."""
    images = examples.dataset(TRAIN).map(lambda one: one["image"])
    transform = ImageTransform.fit(c.Transform(image_size=(side, side), scale="zero_to_one"), images)
    network, training = frozen(name, side, "float32"), c.Training(batch_size=batch)
    narrow = frozen(name, side, "mixed_bfloat16")
    narrow.set_weights(network.get_weights())
    photos = examples.dataset(TRAIN).map(lambda one: transform(one["image"]), num_parallel_calls=tf.data.AUTOTUNE)
    batches = photos.batch(batch).prefetch(tf.data.AUTOTUNE)

    def theirs() -> np.ndarray:
        network.make_predict_function(force=True)
        maps: np.ndarray = network.predict(batches, verbose=0)
        return maps

    def ours(model: keras.Model) -> np.ndarray:
        maps = FeatureMaps(model, examples=examples, transform=transform, training=training)
        return np.stack([row["image"] for row in maps.dataset(TRAIN).as_numpy_iterator()])

    return {
        "model.predict, float32": theirs,
        "features='once', float32": lambda: ours(network),
        "features='once', bfloat16": lambda: ours(narrow),
    }


def frozen(name: str, side: int, policy: str) -> keras.Model:
    """A network of kerasvision from images to its last map, in float32, as a training freezes it."""
    with building_in(policy):
        backbone = build(name, image_shape=(side, side, 3), num_classes=None)
        last = max(backbone.output, key=lambda level: int(level.removeprefix("c")))
        cast = keras.layers.Activation("linear", dtype="float32")(backbone.output[last])
    network = keras.Model(backbone.inputs[0], cast)
    network.trainable = False
    return network


def report(contenders: dict[str, Maps], *, images: int, rounds: int) -> None:
    """Runs the contenders in turns, and prints a line for each."""
    maps = {label: run() for label, run in contenders.items()}
    first = next(iter(maps.values()))
    clock, work = ({label: [] for label in contenders} for _ in range(2))
    for _ in range(rounds):
        for label, run in contenders.items():
            began, worked = time.perf_counter(), time.process_time()
            run()
            clock[label].append(time.perf_counter() - began)
            work[label].append(time.process_time() - worked)
    print(f"{images} photos, maps of {first.shape[1:]}, medians of {rounds}")
    base, *_ = contenders
    for label in contenders:
        seconds, worked = statistics.median(clock[label]), statistics.median(work[label])
        print(
            f"  {label:28} {images / seconds:6.1f} images/s {statistics.median(clock[base]) / seconds:5.2f}x, "
            f"work {1000 * worked / images:6.1f} ms an image {statistics.median(work[base]) / worked:5.2f}x, "
            f"difference {np.abs(maps[label] - first).max() / np.abs(first).max():.1e}"
        )


if __name__ == "__main__":
    main()
