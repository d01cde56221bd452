"""The time for one image: a SavedModel from bytes against `Model.predict` on the decoded image; and the cost of bad rows.

    python tests/benchmarks/serving_latency.py [--model resnet18] [--side 64] [--queries 60]

Requests take turns; the results are medians of processor time and of wall time. `tf.map_fn` is also measured: it decodes as
fast as possible, but the whole batch fails if one row is bad.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.base import make_task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--queries", type=int, default=60)
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    network = models.build(arguments.model, image_shape=shape, num_classes=10)
    task = make_task(c.Classification(), tuple("abcdefghij"))
    transform = ImageTransform(c.Transform(image_size=shape[:2]), (0.0,) * 3, (1.0,) * 3)
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    jpeg = tf.io.encode_jpeg(tf.cast(pixels, tf.uint8))
    predict, spec = task.predictor(network), tf.TensorSpec(shape, tf.float32)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def by_map_fn(image_bytes):
        return predict(tf.map_fn(transform, image_bytes, fn_output_signature=spec))

    with tempfile.TemporaryDirectory() as folder:
        export_saved_model(network, task=task, transform=transform, folder=Path(folder) / "1")
        loaded = tf.saved_model.load(f"{folder}/1")
        served = loaded.signatures["serving_default"]
        ways = {
            "Model.predict, decoded image": lambda: network.predict(transform.scaled(pixels[np.newaxis]), verbose=0),
            "SavedModel, bytes": lambda: served(image_bytes=jpeg[tf.newaxis])["scores"].numpy(),
            "tf.map_fn, bytes": lambda: by_map_fn(jpeg[tf.newaxis])["scores"].numpy(),
            "SavedModel, 32 images": lambda: served(image_bytes=tf.repeat(jpeg[tf.newaxis], 32))["scores"].numpy(),
            "tf.map_fn, 32 images": lambda: by_map_fn(tf.repeat(jpeg[tf.newaxis], 32))["scores"].numpy(),
        }
        report(ways, arguments.queries)


def report(ways: dict, queries: int) -> None:
    """Sends requests in turns, and prints medians and the ratios to the first."""
    wall, processor = ({name: [] for name in ways} for _ in range(2))
    for _ in range(queries + 2):
        for name, ask in ways.items():
            began = time.perf_counter(), time.process_time()
            ask()
            wall[name].append(1000 * (time.perf_counter() - began[0]))
            processor[name].append(1000 * (time.process_time() - began[1]))
    first = next(iter(ways))
    for name in ways:
        both = [np.median(measured[name][2:]) for measured in (processor, wall)]
        ratios = [value / np.median(measured[first][2:]) for value, measured in zip(both, (processor, wall), strict=True)]
        print(f"{name:30} processor {both[0]:7.2f} ms ({ratios[0]:.2f}x)   wall {both[1]:7.2f} ms ({ratios[1]:.2f}x)")


if __name__ == "__main__":
    main()
