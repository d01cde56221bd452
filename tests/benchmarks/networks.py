"""Compares our networks with those of keras.applications: a training step, and inference on one image.

    python tests/benchmarks/networks.py
    python tests/benchmarks/networks.py --networks resnet50 --rounds 21

Both sides run in one process and take turns, a step of `fit` each, so that a disturbance affects both; the results are
medians over the rounds. Theirs is compiled with Keras' defaults. Seconds on the clock and of processor time are printed;
other processes on the machine affect the second less. Also printed: the machine's matrix peak (the best of some 4096 x 4096
products), and the share of it that the multiply-adds of a step reach (forward, and twice that backward).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.models import build
from kerasvision.models.summary import layer_table
from kerasvision.training.optimizing.optimizers import make_optimizer

THEIRS = {
    "resnet50": keras.applications.ResNet50,
    "densenet121": keras.applications.DenseNet121,
    "vgg16": keras.applications.VGG16,
}
SHAPE, CLASSES = (224, 224, 3), 1000


@dataclass
class Contender:
    """One model, its precision, and the seconds of each of its steps, on the clock and of processor time."""

    label: str
    model: keras.Model
    precision: str
    clock: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


class Stopwatch(keras.callbacks.Callback):
    """Records the time of a step of `fit`, without the work of `fit` before its first step."""

    def __init__(self, contender: Contender) -> None:
        super().__init__()
        self._contender = contender

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._clock, self._work = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._contender.clock.append(time.perf_counter() - self._clock)
        self._contender.work.append(time.process_time() - self._work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=THEIRS, default=list(THEIRS))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    peak = {precision: matrix_peak(precision) for precision in ("float32", "bfloat16")}
    print(", ".join(f"matrix peak in {precision}: {value:,.0f} GFLOP/s" for precision, value in peak.items()), flush=True)
    for name in arguments.networks:
        training(name, peak, batch=arguments.batch, rounds=arguments.rounds)
        inference(name, rounds=10 * arguments.rounds)


def training(name: str, peak: dict[str, float], *, batch: int, rounds: int) -> None:
    """Measures the training steps, and prints a line per model."""
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(batch, *SHAPE)).astype("float32")
    labels = generator.integers(CLASSES, size=batch)
    data = tf.data.Dataset.from_tensors((images, labels)).repeat()
    contenders = [theirs(name), *ours(name)]
    for contender in contenders:
        contender.model.fit(data, steps_per_epoch=2, verbose=0, shuffle=False)
    for _ in range(rounds):
        for contender in contenders:
            contender.model.fit(data, steps_per_epoch=1, verbose=0, shuffle=False, callbacks=[Stopwatch(contender)])
    base = contenders[0]
    print(f"{name}: a training step, batch {batch}, {SHAPE[0]} x {SHAPE[1]}, medians of {rounds}")
    for contender in contenders:
        clock, work = statistics.median(contender.clock), statistics.median(contender.work)
        gflop = 2 * 3 * layer_table(contender.model).giga_multiply_adds * batch
        print(
            f"  {contender.label:36} {clock:6.3f} s {statistics.median(base.clock) / clock:5.2f}x, "
            f"work {work:6.3f} s {statistics.median(base.work) / work:5.2f}x, {batch / clock:5.1f} images/s, "
            f"{gflop / clock / peak[contender.precision]:4.0%} of the peak in {contender.precision}",
            flush=True,
        )


def theirs(name: str) -> Contender:
    """keras.applications' network, trained as usual: float32 and Keras' defaults."""
    model = THEIRS[name](weights=None, classifier_activation=None)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Contender("keras.applications, float32", model, "float32")


def ours(name: str) -> list[Contender]:
    """Our network in both precisions, compiled as kerasvision.training.fit does."""
    contenders = []
    # The same work as theirs: if our default layout has more multiply-adds, both layouts are measured.
    options = [{"layout": "keras"}, {}] if name == "resnet50" else [{}]
    for precision, policy in (("float32", "float32"), ("bfloat16", "mixed_bfloat16")):
        for option in options if precision == "bfloat16" else options[:1]:
            keras.config.set_dtype_policy(policy)
            model = build(name, image_shape=SHAPE, num_classes=CLASSES, **option)
            keras.config.set_dtype_policy("float32")
            settings = c.Training(optimizer=c.Sgd(learning_rate=0.01, momentum=0.9))
            model.compile(
                make_optimizer(settings, steps_per_epoch=1),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=False,
            )
            label = " ".join(["kerasvision", *(f"{k}={v}" for k, v in option.items())])
            contenders.append(Contender(f"{label}, {precision}", model, precision))
    return contenders


def inference(name: str, *, rounds: int) -> None:
    """Prints the time for one image, from a scaled tensor to logits: both in float32, ours also in bfloat16."""
    image = tf.constant(np.random.default_rng(0).uniform(size=(1, *SHAPE)), tf.float32)
    their_model, (our_model, *_, our_half) = theirs(name).model, [contender.model for contender in ours(name)]
    calls = {
        "keras.applications, model.predict": lambda image: their_model.predict(image, verbose=0),
        "keras.applications, tf.function": compiled(their_model),
        "kerasvision, tf.function": compiled(our_model),
        "kerasvision, bfloat16, tf.function": compiled(our_half),
    }
    seconds: dict[str, list[float]] = {label: [] for label in calls}
    for number in range(rounds + 3):
        for label, call in calls.items():
            began = time.perf_counter()
            np.asarray(call(image))
            if number >= 3:
                seconds[label].append(time.perf_counter() - began)
    print(f"{name}: one image, median of {rounds}")
    base = statistics.median(seconds["keras.applications, model.predict"])
    for label, values in seconds.items():
        print(f"  {label:38} {statistics.median(values) * 1e3:6.1f} ms {base / statistics.median(values):5.2f}x", flush=True)


def compiled(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The network as one graph, as in a SavedModel."""
    return tf.function(lambda image: model(image, training=False))


def matrix_peak(precision: str, side: int = 4096) -> float:
    """GFLOP/s of the fastest of several products of square matrices."""
    matrix = tf.cast(tf.random.normal((side, side)), precision)
    product = tf.function(lambda a: tf.matmul(a, a))
    product(matrix)
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        product(matrix).numpy()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds) / 1e9


if __name__ == "__main__":
    main()
