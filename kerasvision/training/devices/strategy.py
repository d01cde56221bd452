"""The devices on which a network is trained: one, several of this machine, or those of several machines."""

import faulthandler
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from kerasvision.config.training import Training
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.devices.cluster import Cluster, read_cluster, wait_for_others
from kerasvision.training.devices.workers import SeveralWorkers, WorkerGroup


def make_strategy(training: Training) -> tf.distribute.Strategy:
    """The tf.distribute strategy of these settings.

    `auto` is MirroredStrategy over all GPUs if there are several, otherwise one device. `mirrored` uses the `devices`, or
    `replicas` GPUs, or without a GPU that number of logical CPU devices; those must be made before TensorFlow is first used
    (`make_logical_devices`). `multi_worker` is MultiWorkerMirroredStrategy over the machines of TF_CONFIG, each with all its
    GPUs or its CPU. It must also be made before TensorFlow is first used, and it waits for the other workers.

    Raises:
        ConfigError: there are more replicas than devices, a device does not exist, TF_CONFIG is not valid, or the batch
            cannot be divided among the replicas.
        StageError: another worker does not answer.
    """
    if training.strategy == "multi_worker":
        return _over_workers(training, read_cluster(os.environ))
    gpus = _names("GPU")
    if training.strategy == "one_device" or (training.strategy == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = _chosen(training.devices) if training.devices else gpus or _names("CPU")
    replicas = training.replicas or len(devices)
    if replicas > len(devices):
        raise ConfigError(f"training.replicas must not exceed the {len(devices)} devices here", received=replicas)
    training.check_batch(replicas=replicas)
    _keep_order_of_factors()
    # With one communication device there is no library of collectives to set up; results are the same.
    cross_device = None if "GPU" in devices[0] else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices[:replicas], cross_device_ops=cross_device)


def workers_of(strategy: tf.distribute.Strategy) -> WorkerGroup:
    """The workers of a training under a strategy of `make_strategy`."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return SeveralWorkers(read_cluster(os.environ), strategy)
    return WorkerGroup()


def needs_own_process(training: Training) -> bool:
    """Whether these settings require a process in which TensorFlow has not run anything yet."""
    return training.strategy == "multi_worker" or needs_logical_devices(training)


def needs_logical_devices(training: Training) -> bool:
    """Whether these settings require several CPU devices: `CPU:1`, or several replicas without a GPU."""
    return logical_devices(training) > 1


def logical_devices(training: Training) -> int:
    """How many CPU devices these settings require.

    >>> logical_devices(Training(strategy="mirrored", devices=("CPU:0", "CPU:3"), batch_size=32))
    4
    """
    if training.strategy != "mirrored":
        return 1
    if training.devices:
        return max(int(name.removeprefix("CPU:")) + 1 if name.startswith("CPU:") else 1 for name in training.devices)
    return 1 if tf.config.list_physical_devices("GPU") else training.replicas or 1


def make_logical_devices(count: int) -> None:
    """Splits the CPU into this number of logical devices. Only possible before TensorFlow has run anything.

    Raises:
        RuntimeError: TensorFlow has already run something.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)


def _names(kind: str) -> list[str]:
    return [device.name for device in tf.config.list_logical_devices(kind)]


def _chosen(wanted: Sequence[str]) -> list[str]:
    """TensorFlow's names of the devices: "GPU:1" becomes "/device:GPU:1"."""
    here = {name.removeprefix("/device:"): name for name in [*_names("GPU"), *_names("CPU")]}
    for name in wanted:
        if name not in here:
            known = ", ".join(here)
            raise ConfigError(f"training.devices: there is no {name}; this machine has {known}", received=tuple(wanted))
    if len({name.split(":")[0] for name in wanted}) > 1:
        raise ConfigError("training.devices must be of one kind, GPU or CPU", received=tuple(wanted))
    return [here[name] for name in wanted]


def _keep_order_of_factors() -> None:
    """Keeps the replicas' copies of a weight equal: without it, rounding would make them differ a little more at each step.

    TensorFlow's arithmetic optimizer orders constant factors by the names of their operations. The names of a learning rate
    and an update sort differently on different replicas, so this turns the optimizer off.
    """
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def _over_workers(training: Training, cluster: Cluster) -> tf.distribute.Strategy:
    seconds = training.worker_timeout_seconds
    # TensorFlow assumes that all workers have as many GPUs as this one. Listing them must not start TensorFlow yet.
    replicas = len(cluster.addresses) * max(1, len(tf.config.get_visible_devices("GPU")))
    training.check_batch(replicas=replicas)
    wait_for_others(cluster, seconds=seconds)
    with _ending_after(seconds):
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:  # TensorFlow has already run something
            raise StageError(f"multi_worker requires a process in which TensorFlow has not run anything: {error}") from error
    _keep_order_of_factors()
    return strategy


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """Ends the process if the block takes longer. TensorFlow waits for an hour, and no other Python thread can run."""
    with Path(os.devnull).open("w") as nowhere:
        # Its timer runs in a thread outside Python.
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
