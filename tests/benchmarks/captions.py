"""The time of a caption: a captioner's SavedModel from image bytes to sentences, for one image and 32, and of its parts.

    python tests/benchmarks/captions.py [--model show_and_tell] [--backbone resnet18] [--side 224] [--words 10000]
        [--units 512] [--width 3] [--max-length 20] [--precision float32] [--queries 40]

The weights are random, so captions have all 20 tokens, the longest length. Requests take turns; the results are medians of
wall time and of processor time. The parts are the network's encoder and greedy search, each as its own graph on a decoded
image.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models.decoder import Decoder
from kerasvision.tasks.base import make_task
from kerasvision.tasks.captioning.tokens import SPECIAL

BATCH = 32


def main() -> None:
    arguments = read_arguments()
    keras.config.set_dtype_policy(arguments.precision)
    shape = (arguments.side, arguments.side, 3)
    names = (*SPECIAL, *(f"w{number}" for number in range(arguments.words)))
    settings = {
        way.kind: c.Captioning(max_length=arguments.max_length, decoding=way)
        for way in (c.BeamSearch(width=arguments.width), c.Greedy())
    }
    task = make_task(settings["beam_search"], names)
    options = {
        "backbone": arguments.backbone,
        "max_length": arguments.max_length,
        "units": arguments.units,
        "embedding": arguments.units,
    }
    network = models.build(arguments.model, image_shape=shape, num_classes=len(names), **options)
    transform = ImageTransform(c.Transform(image_size=shape[:2]), (0.0,) * 3, (1.0,) * 3)
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    jpeg = tf.io.encode_jpeg(tf.cast(pixels, tf.uint8))
    image, decoder = transform.scaled(pixels[np.newaxis]), Decoder(network)
    encode = traced(lambda images: {"captions": decoder.encode(images)[0]}, shape)
    greedy = traced(make_task(settings["greedy"], names).predictor(network), shape)
    with tempfile.TemporaryDirectory() as folder:
        export_saved_model(network, task=task, transform=transform, folder=Path(folder) / "1")
        loaded = tf.saved_model.load(f"{folder}/1")
        served = loaded.signatures["serving_default"]
        ways = {
            "SavedModel, bytes, 1 image": lambda: served(image_bytes=jpeg[tf.newaxis]),
            f"SavedModel, bytes, {BATCH} images": lambda: served(image_bytes=tf.repeat(jpeg[tf.newaxis], BATCH)),
            "encoder alone, 1 image": lambda: encode(image),
            f"encoder alone, {BATCH} images": lambda: encode(tf.repeat(image, BATCH, axis=0)),
            "greedy, 1 image": lambda: greedy(image),
        }
        report(ways, arguments.queries)


def read_arguments() -> argparse.Namespace:
    """The parsed arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="show_and_tell")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=512, help="of the LSTM, and size of an embedding")
    parser.add_argument("--width", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=20)
    parser.add_argument("--precision", default="float32", help="a Keras dtype policy, such as mixed_bfloat16")
    parser.add_argument("--queries", type=int, default=40)
    return parser.parse_args()


def traced(function, shape: tuple[int, int, int]):
    """A graph for any batch size."""
    return tf.function(function, autograph=False, input_signature=[tf.TensorSpec((None, *shape), tf.float32)])


def report(ways: dict, queries: int) -> None:
    """Sends requests in turns, and prints medians; at the end, how many more images per second a batch gives."""
    wall, processor = ({name: [] for name in ways} for _ in range(2))
    for number in range(queries + 2):
        for name, ask in ways.items():
            if str(BATCH) in name and number % 4:
                continue  # a batch takes long, and varies less
            began = time.perf_counter(), time.process_time()
            ask()["captions"].numpy()
            wall[name].append(1000 * (time.perf_counter() - began[0]))
            processor[name].append(1000 * (time.process_time() - began[1]))
    for name in ways:
        print(f"{name:30} wall {np.median(wall[name][1:]):8.2f} ms   processor {np.median(processor[name][1:]):8.2f} ms")
    one, many = (np.median(wall[name][1:]) for name in list(ways)[:2])
    print(f"a batch of {BATCH}: {BATCH * one / many:.2f}x the images per second of one image at a time")


if __name__ == "__main__":
    main()
