"""Compares `training.features="once"` with Keras' `model.predict`: images per second from encoded photos to feature maps.

    python tests/benchmarks/features_once.py FOLDER_OF_CLASS_FOLDERS
    python tests/benchmarks/features_once.py FOLDER_OF_CLASS_FOLDERS --network efficientnet_lite0 --weights imagenet

All run the same frozen network with the same weights on the same photos:

    script         what a person would write: `image_dataset_from_directory`, pixels / 255, and `predict` of the network as
                   Keras builds it from its own layers; the photos are resized without an average over their pixels, which
                   takes less time and gives other maps
    model.predict  `predict` of kerasvision's network, in batches from tf.data, with the same transform as ours
    features=once  ours, in float32 and in bfloat16

They run in one process and take turns, so that a disturbance affects all, and each builds its functions anew in each round,
as a training does. Printed are medians over the rounds, on the clock and of processor time; other processes on the machine
affect the second less. A difference is that of our maps from those of `model.predict`: the largest, as a share of the
largest value, and the root of the mean square, as a share of that of the maps.
"""

import argparse
import os
import shutil
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
from kerasvision.models.pretrained import pretrained
from kerasvision.training.devices.precision import building_in
from kerasvision.training.transfer import FeatureMaps

# Computes the maps of all photos.
Run = Callable[[], "FeatureMaps | np.ndarray"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--weights", help="as model.weights; by default random ones")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    # Each round builds its functions anew on purpose.
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        photos, data = Path(folder) / "photos", Path(folder) / "data"
        copy_photos(arguments.folder, photos, images=arguments.images)
        networks = {
            policy: frozen(arguments.network, arguments.weights, arguments.side, policy)
            for policy in ("float32", "mixed_bfloat16")
        }
        contenders = contenders_for(networks, photos, examples_of(photos, data), batch=arguments.batch)
        report(contenders, images=arguments.images, rounds=arguments.rounds)


def copy_photos(folder: Path, photos: Path, *, images: int) -> None:
    """Copies the first photos of each class in turn."""
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    in_turn = sorted(
        (number, name, path) for name in classes for number, path in enumerate(sorted((folder / name).iterdir()))
    )
    for _, name, path in in_turn[:images]:
        (photos / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, photos / name)


def examples_of(photos: Path, folder: Path) -> ExampleSet:
    """The photos as a data set with a train split."""
    paths = sorted(photos.rglob("*.*"))
    rows = [(f"{path.parent.name}/{path.name}", path.read_bytes(), path.parent.name) for path in paths]
    write_examples(lambda split: rows, splits=[TRAIN], classes=sorted({row[2] for row in rows}), folder=folder)
    return ExampleSet(folder)


def frozen(name: str, weights: str | None, side: int, policy: str) -> keras.Model:
    """A network of kerasvision from images in [0, 1] to its last map, frozen as a training freezes it."""
    keras.utils.set_random_seed(0)
    with building_in(policy):
        shape = (side, side, 3)
        if weights is None:
            backbone = build(name, image_shape=shape, num_classes=None)
        else:
            backbone = pretrained(name, image_shape=shape, num_classes=None, weights=weights)
    last = max(backbone.output, key=lambda level: int(level.removeprefix("c")))
    network = keras.Model(backbone.inputs[0], backbone.output[last])
    network.trainable = False
    return network


def contenders_for(networks: dict[str, keras.Model], photos: Path, examples: ExampleSet, *, batch: int) -> dict[str, Run]:
    """Label -> a function that computes the maps of all photos."""
    network = networks["float32"]
    side = network.inputs[0].shape[1]
    # A copy consists of Keras' own layers.
    plain = keras.models.clone_model(network)
    plain.set_weights(network.get_weights())
    encoded = examples.dataset(TRAIN).map(lambda one: one["image"])
    transform = ImageTransform.fit(c.Transform(image_size=(side, side), scale="zero_to_one"), encoded)

    def script() -> np.ndarray:
        images = keras.utils.image_dataset_from_directory(
            photos, image_size=(side, side), batch_size=batch, shuffle=False, labels=None, verbose=False
        )
        plain.make_predict_function(force=True)
        return np.asarray(plain.predict(images.map(lambda one: one / 255.0).prefetch(tf.data.AUTOTUNE), verbose=0))

    def predict() -> np.ndarray:
        images = encoded.map(transform, num_parallel_calls=tf.data.AUTOTUNE)
        network.make_predict_function(force=True)
        return np.asarray(network.predict(images.batch(batch).prefetch(tf.data.AUTOTUNE), verbose=0))

    def once(model: keras.Model) -> FeatureMaps:
        return FeatureMaps(model, examples=examples, transform=transform, training=c.Training(batch_size=batch))

    return {
        "script": script,
        "model.predict": predict,
        "features=once, float32": lambda: once(network),
        "features=once, bfloat16": lambda: once(networks["mixed_bfloat16"]),
    }


def report(contenders: dict[str, Run], *, images: int, rounds: int) -> None:
    """Runs the contenders in turns, and prints a line for each."""
    maps = {label: array_of(run()) for label, run in contenders.items()}
    clock, work = ({label: [] for label in contenders} for _ in range(2))
    for _ in range(rounds):
        for label, run in contenders.items():
            began, worked = time.perf_counter(), time.process_time()
            run()
            clock[label].append(time.perf_counter() - began)
            work[label].append(time.process_time() - worked)
    exact = maps["model.predict"]
    print(f"{images} photos, maps of {exact.shape[1:]}, medians of {rounds}")
    for label, found in maps.items():
        seconds, worked = (statistics.median(taken[label]) / images for taken in (clock, work))
        times = " and ".join(
            f"{statistics.median(work[other]) / images / worked:4.2f}" for other in ("script", "model.predict")
        )
        # The script reads the photos in another order.
        difference = "" if label == "script" else f", difference {largest(found, exact):.1e}, {mean(found, exact):.1e}"
        print(
            f"  {label:24} {1 / seconds:6.1f} images/s, work {1000 * worked:6.1f} ms an image: {times} times as fast as the "
            f"script and model.predict{difference}"
        )


def array_of(maps: FeatureMaps | np.ndarray) -> np.ndarray:
    """The maps, float32 (N, H, W, C)."""
    if isinstance(maps, FeatureMaps):
        maps = np.stack([row["image"] for row in maps.dataset(TRAIN).as_numpy_iterator()])
    return maps.astype(np.float32)


def largest(maps: np.ndarray, exact: np.ndarray) -> float:
    """The largest difference as a share of the largest value."""
    return float(np.abs(maps - exact).max() / np.abs(exact).max())


def mean(maps: np.ndarray, exact: np.ndarray) -> float:
    """The root of the mean square of the difference, as a share of that of the exact maps."""
    return float(np.sqrt(np.square(maps - exact).mean() / np.square(exact).mean()))


if __name__ == "__main__":
    main()
