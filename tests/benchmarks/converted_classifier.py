"""Compares one pass of a converted classifier over a large image with the classifier on each part of that image.

    python tests/benchmarks/converted_classifier.py
    python tests/benchmarks/converted_classifier.py --network resnet18 --side 384 --rounds 9

Both run in one process and take turns, so that a disturbance affects both; the results are medians over the rounds. Parts
begin at each stride of the last map: 36 of 224 x 224 pixels in 384 x 384 at stride 32. They are classified in batches. The
logits of both are compared, too: where convolutions add zeros, they differ (see `kerasvision.models.converting`).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision.models import build, fully_convolutional

PART, CLASSES, STRIDE = 224, 1000, 32


def parts_of(image: np.ndarray, count: int) -> np.ndarray:
    """float32 (count**2, 224, 224, 3): the parts of an image, by rows."""
    begins = [STRIDE * number for number in range(count)]
    return np.stack([image[y : y + PART, x : x + PART] for y in begins for x in begins])


def timed(answer: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """The answer, and its seconds on the clock and of processor time."""
    clock, work = time.perf_counter(), time.process_time()
    answered = answer()
    return answered, time.perf_counter() - clock, time.process_time() - work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="vgg16", help="a classifier of stride 32")
    parser.add_argument("--side", type=int, default=384, help="of the large image, in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=12, help="parts per call")
    asked = parser.parse_args()

    keras.utils.set_random_seed(0)
    classifier = build(asked.network, image_shape=(PART, PART, 3), num_classes=CLASSES)
    converted = fully_convolutional(classifier)
    image = np.random.default_rng(0).uniform(-1, 1, (asked.side, asked.side, 3)).astype("float32")
    count = (asked.side - PART) // STRIDE + 1
    parts = parts_of(image, count)
    of_part, of_whole = tf.function(classifier, autograph=False), tf.function(converted, autograph=False)
    batches = [tf.constant(parts[i : i + asked.batch_size]) for i in range(0, len(parts), asked.batch_size)]
    whole = tf.constant(image[None])
    sides: dict[str, Callable[[], np.ndarray]] = {
        f"{len(parts)} parts": lambda: np.concatenate([of_part(batch).numpy() for batch in batches]),
        "one pass": lambda: of_whole(whole).numpy().reshape(-1, CLASSES),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    answers = {name: answer() for name, answer in sides.items()}  # the first call traces
    for _ in range(asked.rounds):
        for name, answer in sides.items():
            answers[name], *spent = timed(answer)
            seconds[name].append((spent[0], spent[1]))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in seconds.items()}
    for name, (clock, work) in medians.items():
        print(f"{asked.network}, {name}: {clock:.2f} s on the clock, {work:.2f} s of processor time")
    (clock, work), (one_clock, one_work) = medians.values()
    print(f"one pass is {clock / one_clock:.1f} times as fast on the clock, {work / one_work:.1f} times in processor time")
    first, second = answers.values()
    apart = np.abs(first - second).max(axis=1) / np.abs(first).max()
    print(f"logits differ by {apart.min():.1e} to {apart.max():.1e} of the largest, depending on the part")


if __name__ == "__main__":
    main()
