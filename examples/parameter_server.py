"""Asynchronous training with a parameter server, next to synchronous training with the same images and as many seconds.

    python examples/parameter_server.py
    python examples/parameter_server.py --seconds 20 --kill 8

One process keeps the weights: the server. Two workers, in processes of their own on this machine, read them, compute the
gradient of a batch and change them, and neither waits for the other. When a step arrives, the weights may have changed since
it read them: its staleness is the number of steps of others in between. `--kill` ends a worker on the way. TensorFlow gives
its step to the other one, and the training goes on.

The network is LeNet-5 and the images are scikit-learn's digits. kerasvision itself trains synchronously, since its result
must not depend on who is faster. Source: Dean et al., 2012, "Large scale distributed deep networks", section 4.1.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from kerasvision import build
from kerasvision.tasks.classification.losses import cross_entropy

WORKERS, BATCH, RATE = 2, 32, 0.1
# How many steps may wait for a worker.
WAITING = 2 * WORKERS
Arrays = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each training")
    parser.add_argument("--kill", type=float, metavar="SECONDS", help="kill a worker after this time")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="time between two lines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        serve(**json.loads(arguments.task))
        return
    train, test = digits()
    print(f"synchronous: batches of {WORKERS * BATCH} in one process")
    synchronous(train, test, arguments)
    print(f"asynchronous: {WORKERS} workers with batches of {BATCH}")
    asynchronous(train, test, arguments)


def digits() -> tuple[Arrays, Arrays]:
    """Images float32 (N, 28, 28, 1) in [0, 1] and labels int64 (N,): 1,400 to train, 397 to test."""
    images, labels = load_digits(return_X_y=True)
    larger = np.kron(images.reshape(-1, 8, 8) / 16, np.ones((1, 3, 3)))
    images = np.pad(larger, [(0, 0), (2, 2), (2, 2)])[..., np.newaxis].astype(np.float32)
    order = np.random.default_rng(0).permutation(len(images))
    return tuple((images[rows], labels[rows]) for rows in (order[:1400], order[1400:]))


def network(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build("lenet5", image_shape=(28, 28, 1), num_classes=10, activation="relu")


def batches(train: Arrays, *, size: int, seed: int) -> tf.data.Dataset:
    """Endless batches in a random order."""
    return tf.data.Dataset.from_tensor_slices(train).shuffle(len(train[0]), seed=seed).repeat().batch(size)


def slopes(model: keras.Model, images: tf.Tensor, labels: tf.Tensor) -> Sequence[tf.Tensor]:
    """The gradient of the mean loss of a batch."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(cross_entropy(tf.one_hot(labels, 10), model(images, training=True)))
    return tape.gradient(loss, [weight.value for weight in model.trainable_weights])


def accuracy(model: keras.Model, test: Arrays) -> float:
    return float(np.mean(np.argmax(model(test[0], training=False), axis=-1) == test[1]))


def synchronous(train: Arrays, test: Arrays, arguments: argparse.Namespace) -> float:
    """Trains in this process; returns the last accuracy."""
    model = network(arguments.seed)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, labels: tf.Tensor) -> None:
        for weight, slope in zip(model.trainable_weights, slopes(model, images, labels), strict=True):
            weight.value.assign_sub(RATE * slope)

    examples = iter(batches(train, size=WORKERS * BATCH, seed=arguments.seed))
    step(*next(examples))  # traces the graph
    clock, steps, score = Clock(arguments.every), 1, 0.0
    while clock.seconds < arguments.seconds:
        step(*next(examples))
        steps += 1
        if clock.is_time():
            score = accuracy(model, test)
            clock.tell(steps, steps * WORKERS * BATCH, score)
    return score


def asynchronous(train: Arrays, test: Arrays, arguments: argparse.Namespace) -> float:
    """Trains with a server and workers in processes of their own; returns the last accuracy."""
    with cluster() as (addresses, processes):
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(tf.train.ClusterSpec(addresses), rpc_layer="grpc")
        strategy = tf.distribute.ParameterServerStrategy(resolver)
        coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        with strategy.scope():
            model, steps = network(arguments.seed), tf.Variable(0, dtype=tf.int64)

        @tf.function(autograph=False)
        def step(examples: Iterator[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
            """One step of a worker; returns its staleness."""
            images, labels = next(examples)
            before = tf.identity(steps.read_value())
            with tf.control_dependencies([before]):
                found = slopes(model, images, labels)
            with tf.control_dependencies(found):
                for weight, slope in zip(model.trainable_weights, found, strict=True):
                    weight.value.assign_sub(RATE * slope)
                return steps.assign_add(1, read_value=True) - before - 1

        make = tf.function(lambda: batches(train, size=BATCH, seed=arguments.seed))
        examples = iter(coordinator.create_per_worker_dataset(make))
        return run_steps(coordinator, step, examples, (model, steps, test), processes, arguments)


def run_steps(coordinator, step, examples, watched, processes, arguments: argparse.Namespace) -> float:
    """Keeps the workers busy, and prints how far they are."""
    model, steps, test = watched
    copy = network(arguments.seed)
    stale = [coordinator.schedule(step, args=(examples,))]
    coordinator.join()  # traces the graph
    clock, score = Clock(arguments.every), 0.0
    while clock.seconds < arguments.seconds:
        if len(stale) - int(steps.read_value()) < WAITING:
            stale.append(coordinator.schedule(step, args=(examples,)))
        if arguments.kill and clock.seconds > arguments.kill and processes[-1].poll() is None:
            processes[-1].kill()
            processes[-1].wait()
            print(f"  a worker is killed after {clock.seconds:.0f} s")
        if clock.is_time():
            for own, other in zip(copy.weights, model.weights, strict=True):
                own.assign(other.value.read_value())
            score, done = accuracy(copy, test), int(steps.read_value())
            clock.tell(done, done * BATCH, score)
    coordinator.join()
    counts = np.bincount([int(value.fetch()) for value in stale])
    shares = ", ".join(f"{number}: {count / len(stale):.0%}" for number, count in enumerate(counts))
    print(f"  staleness of the steps: {shares}")
    return score


class Clock:
    """The seconds of a training, and when to print a line."""

    def __init__(self, every: float) -> None:
        self._began, self._every, self._next = time.perf_counter(), every, every

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def is_time(self) -> bool:
        if self.seconds < self._next:
            return False
        self._next += self._every
        return True

    def tell(self, steps: int, images: int, score: float) -> None:
        print(f"  {self.seconds:5.1f} s  {steps:6,} steps  {images:8,} images  accuracy {score:.3f}", flush=True)


@contextmanager
def cluster() -> Iterator[tuple[dict[str, list[str]], list[subprocess.Popen]]]:
    """A server and the workers: their addresses by kind, and their processes, which are ended on exit."""
    with ExitStack() as stack:
        # All ports are held until each has its number.
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(1 + WORKERS)]
        server, *workers = (f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    addresses = {"ps": [server], "worker": workers}
    places = [("ps", 0), *(("worker", number) for number in range(WORKERS))]
    tasks = [json.dumps({"addresses": addresses, "kind": kind, "index": index}) for kind, index in places]
    processes = [subprocess.Popen([sys.executable, __file__, "--task", task]) for task in tasks]
    try:
        yield addresses, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def serve(addresses: dict[str, list[str]], kind: str, index: int) -> None:
    """Is the server or a worker, until it is ended."""
    tf.distribute.Server(addresses, job_name=kind, task_index=index, protocol="grpc").join()


if __name__ == "__main__":
    main()
