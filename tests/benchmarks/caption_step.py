"""A training step of a captioner's decoder against Keras' `fit` of a plain LSTM that does the same work.

    python tests/benchmarks/caption_step.py
    python tests/benchmarks/caption_step.py --words 60 --units 128 --batch 32 --length 16

Both read the kept features of an image, (7, 7, 512) as from a ResNet-18, as the word before the first, then the words of
its captions, and return a logit per word at each step: mean over the positions, dense layer, embedding, LSTM, dense layer.
The plain one is `keras.layers.LSTM` over one caption per row, with the image in each row; masked cross-entropy, Adam, with
Keras' default of XLA and without it. Ours is the head of `show_and_tell` on its frozen backbone, with all captions of an
image in one row, trained by the loop of `kerasvision.training`. Neither has dropout. They take turns; the results are
medians of milliseconds per step on the clock and of processor time, and the median of the ratios within a round.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from kerasvision import config as c
from kerasvision.tasks.base import Task, make_task
from kerasvision.training.loop import train_loop
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

PLACES, CHANNELS = (7, 7), 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32, help="images")
    parser.add_argument("--captions", type=int, default=5, help="captions per image")
    parser.add_argument("--length", type=int, default=20, help="words of every caption")
    parser.add_argument("--words", type=int, default=5000, help="size of the vocabulary")
    parser.add_argument("--units", type=int, default=512, help="of the LSTM, and size of an embedding")
    parser.add_argument("--steps", type=int, default=5, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    task = make_task(
        c.Captioning(max_length=arguments.length),
        ("[padding]", "[unknown]", "[start]", "[end]", *(f"w{number}" for number in range(arguments.words - 4))),
    )
    features, tokens, targets = batch(arguments)
    contenders = {
        "Keras' fit": theirs(arguments, features, tokens, targets, xla="auto"),
        "Keras' fit, no XLA": theirs(arguments, features, tokens, targets, xla=False),
        "kerasvision": ours(arguments, task, features, tokens, targets),
    }
    clock: dict[str, list[float]] = {label: [] for label in contenders}
    work: dict[str, list[float]] = {label: [] for label in contenders}
    for number in range(arguments.rounds + 1):
        for label, epoch in contenders.items():
            began = time.perf_counter(), time.process_time()
            epoch(arguments.steps)
            if number:  # the first run builds the graphs
                clock[label].append(1e3 * (time.perf_counter() - began[0]) / arguments.steps)
                work[label].append(1e3 * (time.process_time() - began[1]) / arguments.steps)
    for label in contenders:
        ratios = (np.median(np.divide(times["kerasvision"], times[label])) for times in (clock, work))
        print(
            f"{label:18} {np.median(clock[label]):8.1f} ms per step, work {np.median(work[label]):8.1f} ms, "
            "ours / theirs {:.2f}, work {:.2f}".format(*ratios)
        )


def batch(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, h, w, C), tokens and targets int32 (N, K, T)."""
    random = np.random.default_rng(0)
    features = random.normal(size=(arguments.batch, *PLACES, CHANNELS)).astype("float32")
    said = random.integers(4, arguments.words, size=(arguments.batch, arguments.captions, arguments.length))
    start, end = (np.full((*said.shape[:2], 1), number) for number in (2, 3))
    tokens, targets = np.concatenate([start, said], axis=2), np.concatenate([said, end], axis=2)
    return features, tokens.astype("int32"), targets.astype("int32")


def theirs(
    arguments: argparse.Namespace, features: np.ndarray, tokens: np.ndarray, targets: np.ndarray, *, xla: str | bool
) -> Callable[[int], object]:
    """A row per caption, as is usual with Keras."""
    keras.utils.set_random_seed(0)
    seen, words = keras.Input((*PLACES, CHANNELS)), keras.Input((arguments.length + 1,), dtype="int32")
    image = layers.Dense(arguments.units)(layers.GlobalAveragePooling2D()(seen))
    embedded = layers.Embedding(arguments.words, arguments.units)(words)
    read = layers.Concatenate(axis=1)([layers.Reshape((1, arguments.units))(image), embedded])
    h = layers.LSTM(arguments.units, return_sequences=True)(read)
    logits = layers.Dense(arguments.words)(layers.Cropping1D((1, 0))(h))
    network = keras.Model([seen, words], logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    network.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=xla)
    images = np.repeat(features, arguments.captions, axis=0)
    said, wanted = (part.reshape(-1, part.shape[-1]) for part in (tokens, targets))
    data = tf.data.Dataset.from_tensors(((images, said), wanted)).repeat()
    return lambda steps: network.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)


def ours(
    arguments: argparse.Namespace, task: Task, features: np.ndarray, tokens: np.ndarray, targets: np.ndarray
) -> Callable[[int], object]:
    """A row per image, as with `training.features="once"`."""
    keras.utils.set_random_seed(0)
    options = {"backbone": "resnet18", "embedding": arguments.units, "units": arguments.units, "dropout": 0.0}
    network = task.build(c.Model(name="show_and_tell", options=options), image_shape=(224, 224, 3))
    last = network.get_layer("decoder_pool").input
    head = keras.Model([last, network.inputs[1]], network.output)
    step = TrainStep(
        head,
        objective=task.objective(),
        optimizer=make_optimizer(c.Training(optimizer=c.Adam(learning_rate=1e-3)), steps_per_epoch=1),
        strategy=tf.distribute.get_strategy(),
    )
    data = tf.data.Dataset.from_tensors(((features, tokens), targets)).repeat()
    return lambda steps: train_loop(step, data, epochs=1, steps_per_epoch=steps)


if __name__ == "__main__":
    main()
