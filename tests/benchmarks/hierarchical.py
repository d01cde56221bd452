"""Hierarchical softmax against full softmax: the time of a whole training step, and the accuracy on 1,000 classes.

    python tests/benchmarks/hierarchical.py
    python tests/benchmarks/hierarchical.py --accuracy --seeds 3 --epochs 20

A step reads a batch of given features, computes the loss, its gradient, the task's metrics, and updates the weights by SGD
with momentum: all that a training does after the backbone. Class k has frequency 1 / k (Zipf). Both losses run in one
process and take turns; printed are medians over the rounds of milliseconds on the clock and of processor time, and the
median of the ratios within a round. `--least` leaves the metrics of the full softmax out.

`--accuracy` trains the same network with both losses on generated images of 1,000 classes, and prints the accuracy on
unseen images. A class is a kind, a form and a size, ten of each. Its images are the sum of the patterns of the three, which
are 16 x 16 random pixels each, under noise of the given deviation. The hierarchy of the tree is kind/form. With
`--unrelated` each class has a pattern of its own, so that no tree fits, and the tree is Huffman's.

Measured with --rounds 5 (two CPU cores, which other processes used all the time), hierarchical / full:

                        on the clock   of work
      1,000 classes         1.02         0.78
     10,000 classes         0.31         0.23
    100,000 classes         0.04         0.05

Accuracy with --seeds 1 --epochs 6: with the hierarchy and --images 30 0.9985, full 0.9995; the same with --noise 6 0.4826,
full 0.4387; with --unrelated 0.2303, full 0.8449.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import Objective, make_task
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

LOSSES = ("hierarchical", "cross_entropy")
SIDE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adam"])
    parser.add_argument("--least", action="store_true", help="no metrics of the full softmax")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--noise", type=float, default=2.5)
    parser.add_argument("--images", type=int, default=40, help="training images of each class")
    parser.add_argument("--unrelated", action="store_true", help="classes that have nothing in common")
    arguments = parser.parse_args()
    if arguments.accuracy:
        compare_accuracy(arguments)
    else:
        for classes in arguments.classes:
            compare_steps(classes, arguments)


def compare_steps(classes: int, arguments: argparse.Namespace) -> None:
    """Prints the times of both losses for this number of classes."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, classes + 1)
    labels = random.choice(classes, size=arguments.batch, p=shares / shares.sum())
    counts = np.maximum(np.round(shares / shares.sum() * 10 * classes), 1).astype(np.int64)
    features = random.normal(size=(arguments.batch, 1, arguments.features, 1)).astype("float32")
    steps = {
        loss: prepared(loss, counts, features, labels, optimizer=arguments.optimizer, least=arguments.least)
        for loss in LOSSES
    }
    # About a tenth of a second for a call of either loss.
    calls = {loss: max(1, int(0.1 / timed(step, 1)[0])) for loss, step in steps.items()}
    clock, work = ({loss: list[float]() for loss in LOSSES} for _ in range(2))
    for _ in range(arguments.rounds):
        for loss, step in steps.items():
            on_clock, of_work = timed(step, calls[loss])
            clock[loss].append(1e3 * on_clock)
            work[loss].append(1e3 * of_work)
    for name, times in (("clock", clock), ("work", work)):
        ours, full = (np.array(times[loss]) for loss in LOSSES)
        print(
            f"{classes:7,} classes, {name:5}: hierarchical {np.median(ours):8.2f} ms, full {np.median(full):8.2f} ms, "
            f"ratio {np.median(ours / full):.3f}",
            flush=True,
        )


def prepared(
    loss: str, counts: np.ndarray, features: np.ndarray, labels: np.ndarray, *, optimizer: str, least: bool
) -> Callable[[int], object]:
    """A function that runs this number of steps on the same batch."""
    task = learning(loss, counts)
    keras.utils.set_random_seed(0)
    network = task.build(c.Model(name=f"{__name__}:dense"), image_shape=features.shape[1:])
    batch = task.encode({"image": tf.constant(features), "label": tf.constant(labels, tf.int64)})
    objective = task.objective()
    if least and loss == "cross_entropy":
        objective = Objective(objective.losses, [])
    step = train_step(network, objective, optimizer)
    iterator = iter(step.share_out(tf.data.Dataset.from_tensors(batch).cache().repeat()))
    step.run(iterator, 2)
    return lambda steps: step.run(iterator, steps)


def learning(loss: str, counts: np.ndarray, *, hierarchy: bool = False):
    """The task that has seen this number of images of each class; with `hierarchy`, the groups are those of the patterns."""
    names = [f"c{number}" for number in range(len(counts))]
    if loss != "hierarchical":
        return make_task(c.Classification(loss=loss), names)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hierarchy.json") if hierarchy else None
        if file is not None:
            groups = {name: [f"kind {number // 100}", f"form {number // 10}"] for number, name in enumerate(names)}
            file.write_text(json.dumps(groups), encoding="utf-8")
        labels = np.repeat(np.arange(len(counts)), counts)
        examples = tf.data.Dataset.from_tensor_slices({"label": labels})
        return make_task(c.Classification(loss=loss, hierarchy=file), names).learning_from(examples)


def dense(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """The features, and a dense layer."""
    image = keras.Input(image_shape)
    return keras.Model(image, keras.layers.Dense(num_classes, name="logits")(keras.layers.Flatten()(image)))


def hidden(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Two hidden layers of 512 units, with batch normalisation."""
    image = keras.Input(image_shape)
    x = keras.layers.Flatten()(image)
    for _ in range(2):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Dense(512)(x)))
    return keras.Model(image, keras.layers.Dense(num_classes, name="logits")(x))


def train_step(network: keras.Model, objective: Objective, optimizer: str, *, steps: int = 1, epochs: int = 1) -> TrainStep:
    rate = {"sgd": c.Sgd(learning_rate=0.1, momentum=0.9), "adam": c.Adam()}[optimizer]
    training = c.Training(optimizer=rate, epochs=epochs, schedule="cosine" if epochs > 1 else "constant")
    return TrainStep(
        network,
        objective=objective,
        optimizer=make_optimizer(training, steps_per_epoch=steps),
        strategy=tf.distribute.get_strategy(),
    )


def timed(run: Callable[[int], object], steps: int) -> tuple[float, float]:
    """Seconds per step: on the clock, and of processor time."""
    began = time.perf_counter(), time.process_time()
    run(steps)
    return (time.perf_counter() - began[0]) / steps, (time.process_time() - began[1]) / steps


def compare_accuracy(arguments: argparse.Namespace) -> None:
    """Prints the accuracy of both losses, mean and deviation over the seeds."""
    found: dict[str, list[float]] = {loss: [] for loss in LOSSES}
    for seed in range(arguments.seeds):
        patterns = class_patterns(seed, unrelated=arguments.unrelated)
        images, labels = generated(arguments.images, patterns, noise=arguments.noise, seed=seed)
        unseen = generated(10, patterns, noise=arguments.noise, seed=1000 + seed)
        for loss in LOSSES:
            found[loss].append(accuracy_of(loss, (images, labels), unseen, arguments, seed=seed))
        print(f"seed {seed}: " + ", ".join(f"{loss} {values[-1]:.4f}" for loss, values in found.items()), flush=True)
    for loss, values in found.items():
        print(f"{loss}: {np.mean(values):.4f} +- {np.std(values, ddof=min(1, len(values) - 1)):.4f}")


def class_patterns(seed: int, *, unrelated: bool) -> np.ndarray:
    """The pattern of each class, (1000, 16, 16, 1)."""
    random = np.random.default_rng([seed, 7])
    if unrelated:
        return random.normal(size=(1000, SIDE, SIDE, 1))
    kinds, forms, sizes = random.normal(size=(3, 10, SIDE, SIDE, 1))
    return (kinds[:, None, None] + forms[:, None] + sizes).reshape(1000, SIDE, SIDE, 1)


def generated(each: int, centres: np.ndarray, *, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`each` images of every class, float32 (N, 16, 16, 1), shuffled, and their class numbers, int64 (N,)."""
    random = np.random.default_rng([seed, 8])
    labels = random.permutation(np.repeat(np.arange(1000), each))
    return (centres[labels] + noise * random.normal(size=(len(labels), SIDE, SIDE, 1))).astype("float32"), labels


def accuracy_of(
    loss: str,
    known: Sequence[np.ndarray],
    unseen: Sequence[np.ndarray],
    arguments: argparse.Namespace,
    *,
    seed: int,
) -> float:
    """The accuracy on the unseen images after a training on the known ones."""
    (images, labels), (others, truth) = known, unseen
    task = learning(loss, np.bincount(labels), hierarchy=loss == "hierarchical" and not arguments.unrelated)
    keras.utils.set_random_seed(seed)
    network = task.build(c.Model(name=f"{__name__}:hidden"), image_shape=images.shape[1:])
    steps = len(labels) // arguments.batch
    step = train_step(network, task.objective(), arguments.optimizer, steps=steps, epochs=arguments.epochs)
    data = tf.data.Dataset.from_tensor_slices({"image": images, "label": labels})
    data = data.shuffle(len(labels), seed=seed).batch(arguments.batch, drop_remainder=True).map(task.encode).prefetch(4)
    iterator = iter(step.share_out(data.repeat()))
    for _ in range(arguments.epochs):
        step.run(iterator, steps)
    answers = task.predictor(task.trained(network))
    best = [answers(part)["scores"].numpy().argmax(axis=1) for part in np.array_split(others, 20)]
    return float((np.concatenate(best) == truth).mean())


if __name__ == "__main__":
    main()
